"""A host that is being prepared, over one ssh connection: looks, shows, does, and stops where something fails."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from nself_sdk.docker.setup import SURVEY, Preparation, Step, as_root, preparation, surveyed
from nself_sdk.docker.ssh import Forward
from nself_sdk.docker.target import Target
from nself_sdk.errors import DriverError

_QUOTED_LINES = 12


class FreshHost:
    """A host behind ssh on which there need not be a Docker yet."""

    def __init__(self, target: Target, line: Forward) -> None:
        self._target = target
        self._line = line

    def look(self, ports: Sequence[int]) -> Preparation:
        """What is to be done there, so that these ports are open. Changes nothing.

        Raises:
            DriverError: it cannot be prepared by us.
        """
        return preparation(surveyed(self._line.shell(SURVEY).stdout), ports)

    def do(self, steps: Sequence[Step], report: Callable[[str], None]) -> None:
        """Take the steps, one after the other.

        Raises:
            DriverError: one failed; its output, and what was done before it, are in the error.
        """
        done: list[str] = []
        for number, step in enumerate(steps, 1):
            report(f"{number}/{len(steps)}  {step.what} ...")
            self._take(step, done)
            done.append(step.what)

    def _take(self, step: Step, done: Sequence[str]) -> None:
        answer = self._line.shell(as_root(f"set -e\nexec 2>&1\n{step.commands}"))
        if answer.exit_code != 0:
            lines = (answer.stdout + answer.stderr).strip().splitlines()[-_QUOTED_LINES:]
            quoted = "".join(f"\n  | {line}" for line in lines)
            so_far = "".join(f"\n  done: {what}" for what in done) or "\n  nothing was done before it"
            message = f"{self._target}: this failed: {step.what}{quoted}{so_far}"
            raise DriverError(message, "mend it there and run the same command again: what is done is not done twice")
        if step.undo and not self._line.anew():
            self._line.shell(as_root(step.undo))
            message = f"{self._target}: no new ssh connection got through after this: {step.what}; it was undone"
            raise DriverError(message, "see to it that the firewall lets ssh in, and run the same command again")


@contextmanager
def fresh_host(target: Target) -> Generator[FreshHost]:
    """Log in to a host that is to be prepared.

    Raises:
        HostUnreachableError: nobody can log in there; it says why.
    """
    with Forward(target, os.environ) as line:
        line.logged_in()
        yield FreshHost(target, line)
