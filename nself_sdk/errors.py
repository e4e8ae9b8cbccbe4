"""Every error the SDK raises on purpose, divided by who must act on it.

::

    NselfError                       exit code 1
    |- DeclarationError(problems)    the project is wrong; nothing was touched    2
    |- SecretError                   a secret is missing, unreadable or weak      3
    `- DriverError                   Docker or the host refused                   4
       |- HostUnreachableError       no engine answers there
       |- LockedError                somebody else is deploying
       `- UnhealthyServiceError      a service did not become healthy
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import ClassVar


class NselfError(Exception):
    """The root of the tree: ``message`` says what and why, ``hint`` what to do next."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a traceback: the message, and the user's own line that led to it.

        By this name IPython asks for it: https://ipython.readthedocs.io/en/stable/config/integrating.html
        """
        from traceback import extract_tb  # noqa: PLC0415 - only for a mistake

        ours = str(Path(__file__).parent)
        own = list(takewhile(lambda frame: not frame.filename.startswith(ours), extract_tb(self.__traceback__)))
        return [f"{type(self).__name__}: {self}", *(f"  in line {frame.lineno}: {frame.line}" for frame in own[-1:])]


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong: where it is, what it is, and what to do about it."""

    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        sentence = f"{self.where}: {self.what}" if self.where else self.what
        return f"{sentence}; {self.fix}" if self.fix else sentence


class DeclarationError(NselfError):
    """The project, a file or an argument is wrong. All problems come at once; nothing was touched."""

    exit_code = 2

    def __init__(self, problems: list[Problem] | tuple[Problem, ...] | Problem) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(dict.fromkeys(problems))
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SecretError(NselfError):
    """A secret is missing, unreadable or weak."""

    exit_code = 3


class DriverError(NselfError):
    """Docker or the host refused; work may be half done. Run the same command again to continue."""

    exit_code = 4


class HostUnreachableError(DriverError):
    """No Docker engine answers at the target."""


class LockedError(DriverError):
    """Another deploy holds the lock."""


class UnhealthyServiceError(DriverError):
    """A service did not become healthy.

    Attributes:
        service: its name in the Compose file.
        logs: its last lines, and what its health check printed.
    """

    def __init__(self, service: str, reason: str, logs: str = "", hint: str = "") -> None:
        self.service = service
        self.reason = reason
        self.logs = logs
        quoted = "".join(f"\n  | {line}" for line in logs.splitlines())
        super().__init__(f"{service}: {reason}{quoted}", hint)
