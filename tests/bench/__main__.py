"""``python -m tests.bench``: every benchmark beside its target; exit code 1 if one is over it."""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

from tests import bench


def main() -> int:
    """Run the ``rows`` of every module here."""
    over = 0
    for found in sorted(module.name for module in pkgutil.iter_modules(bench.__path__)):
        module = None if found == "__main__" else import_module(f"{bench.__name__}.{found}")
        for name, measured, target in getattr(module, "rows", tuple)():
            over += measured > target
            sys.stdout.write(
                f"{name:45} {measured:6.2f}  (target: {target:g}){'  OVER' if measured > target else ''}\n"
            )
    return int(over > 0)


if __name__ == "__main__":
    sys.exit(main())
