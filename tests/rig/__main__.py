"""`python tests/rig ensure REFERENCE...`: make images usable, and say which are real and which stand-ins."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from nself_sdk.docker import engine  # noqa: E402
from nself_sdk.errors import DriverError  # noqa: E402
from rig.images import describe, ensure_images, ensure_recipes, prune  # noqa: E402 (after the path is set)
from rig.recipes import by_repository  # noqa: E402
from rig.shell import RigError, alone, need  # noqa: E402
from rig.vps import clean  # noqa: E402


def main() -> int:
    """Parse the arguments and do one thing."""
    parser = argparse.ArgumentParser(prog="rig", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("ensure", help="build or pull images").add_argument("references", nargs="+")
    commands.add_parser("vps", help="build the image of the host to deploy to")
    commands.add_parser("tools", help="install what the tests call on this machine, an engine included")
    commands.add_parser("clean", help="remove what killed runs left behind")
    commands.add_parser("list", help="list the recipes")
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        if arguments.command == "ensure":
            print(describe(ensure_images(arguments.references, _say)))
        elif arguments.command == "vps":
            ensure_recipes(("vps",), _say)
        elif arguments.command == "tools":
            _tools()
        elif arguments.command == "clean":
            clean(_say)
            prune(_say)
        else:
            for repository, found in by_repository().items():
                print(f"{repository:<28} {found.kind:<9} {found.description}")
    except (RigError, DriverError) as error:
        print(f"rig: {error}", file=sys.stderr)
        return 1
    _say(f"{time.monotonic() - started:5.1f} s  in all")
    return 0


def _tools() -> None:
    need("ps", "procps")
    need("ssh", "openssh-client")
    if os.environ.get("NSELF_TEST_ENGINE", "install") == "install":
        with alone("engine"):
            engine.repair(_say)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
