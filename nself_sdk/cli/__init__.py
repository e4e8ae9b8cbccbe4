"""cli: parse, call one function, print. Errors are caught here, once."""

from __future__ import annotations

import signal
import sys
import warnings
from typing import NoReturn

#: 128 + SIGINT, as shells have it.
_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line; the process ends with the exit code of what happened."""
    from nself_sdk.cli.commands import app  # noqa: PLC0415 - typer is not needed to import the package
    from nself_sdk.errors import NselfError  # noqa: PLC0415 - same

    warnings.showwarning = _show
    # Asked to end, a deploy finishes its step, goes back and unlocks, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(standalone_mode=True)
    except NselfError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away: nobody is left to tell
        sys.exit(0)
    sys.exit(0)


def _show(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as a line for people: what Python would add is where the SDK raised it."""
    sys.stderr.write(f"warning: {message}\n")
