"""How Docker learns that a container works: the ``healthcheck`` attribute."""

from typing import Annotated, Literal, Self, TypedDict, Unpack

from pydantic import AfterValidator

from nself_sdk.compose.element import Element
from nself_sdk.compose.units import check_test
from nself_sdk.compose.values import Duration, Flag, Maybe, Sequence, WholeNumber


class Timing(TypedDict, total=False):
    """When a check runs and when it counts: the attributes of `Healthcheck` beside the test."""

    interval: str
    timeout: str
    retries: int
    start_period: str
    start_interval: str


class Healthcheck(Element):
    """A command that tells whether a container works (Services, "healthcheck")."""

    test: Maybe[str | Annotated[Sequence[str], AfterValidator(check_test)]] = None
    """A line for the shell, or a list that starts with ``CMD``, ``CMD-SHELL`` or ``NONE``."""
    interval: Maybe[Duration] = None
    """How long between two checks; Docker's default is 30s."""
    timeout: Maybe[Duration] = None
    """How long one check may take; Docker's default is 30s."""
    retries: Maybe[WholeNumber] = None
    """After how many failures in a row the container counts as unhealthy; Docker's default is 3."""
    start_period: Maybe[Duration] = None
    """How long after the start a failure does not count."""
    start_interval: Maybe[Duration] = None
    """How long between two checks while it starts; needs engine 25."""
    disable: Maybe[Flag] = None
    """Ignore the check that the image brings."""

    @classmethod
    def command(cls, *arguments: str, **timing: Unpack[Timing]) -> Self:
        """Run this program, without a shell: ``Healthcheck.command("pg_isready", "-U", "postgres")``."""
        return cls(test=["CMD", *arguments], **timing)

    @classmethod
    def shell(cls, line: str, **timing: Unpack[Timing]) -> Self:
        """Run this line in the shell of the image; write a ``$`` that the shell shall see as ``$$``."""
        return cls(test=["CMD-SHELL", line], **timing)

    @classmethod
    def http(
        cls,
        path: str,
        port: int = 80,
        *,
        client: Literal["curl", "wget"] = "curl",
        **timing: Unpack[Timing],
    ) -> Self:
        """Ask for this path (or whole URL) from inside the container; an answer below 400 is healthy.

        Args:
            path: ``/healthz``, or a URL such as ``https://localhost:8443/healthz``.
            port: where the server listens in the container, if ``path`` is no URL.
            client: which of the two programs the image contains.
            timing: intervals and retries.
        """
        url = path if "://" in path else f"http://127.0.0.1:{port}/{path.removeprefix('/')}"
        if client == "wget":
            return cls.command("wget", "-q", "-O", "/dev/null", url, **timing)
        return cls.command("curl", "-fsS", "-o", "/dev/null", url, **timing)

    @classmethod
    def disabled(cls) -> Self:
        """No check, even if the image brings one."""
        return cls(disable=True)
