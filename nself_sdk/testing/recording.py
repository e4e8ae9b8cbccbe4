"""A `Driver` that does nothing but remember: for tests of what a command would do to a host, without any Docker.

It knows no more of Docker than the protocol says::

    driver = RecordingDriver()
    driver.answer("containers", (), (container,))   # the first call, and every call after it
    deploy(driver)
    assert [call.verb for call in driver.calls] == ["info", "compose", "containers"]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from nself_sdk.docker import LOCAL, Engine, ExecResult, Host
from nself_sdk.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nself_sdk.docker import Container, Image, Network, OnLine, Stack, Target, Volume

Verb = Literal[
    "info",
    "host",
    "networks",
    "compose",
    "containers",
    "logs",
    "follow_logs",
    "exec",
    "exec_interactive",
    "image",
    "held",
    "images",
    "tag",
    "remove_image",
    "marked",
    "publishing",
    "create",
    "stop",
    "remove",
    "save",
    "load",
    "volumes",
    "remove_volumes",
]

_UNSCRIPTED: dict[str, Any] = {
    "info": Engine(
        name="recorded",
        version="26.1.5",
        compose_version="2.26.1",
        os="linux",
        architecture="amd64",
        cpus=2,
        memory=4 << 30,
        time=datetime(2026, 1, 1, tzinfo=UTC),
        root="/var/lib/docker",
    ),
    "host": Host(),
    "networks": (),
    "compose": "",
    "containers": (),
    "logs": "",
    "follow_logs": "",
    "exec": ExecResult(exit_code=0),
    "exec_interactive": 0,
    "image": None,
    "held": {},
    "images": (),
    "tag": None,
    "remove_image": None,
    "marked": (),
    "publishing": (),
    "create": True,
    "stop": None,
    "remove": None,
    "save": b"",
    "load": None,
    "volumes": (),
    "remove_volumes": None,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a verb: its arguments in order, and those options that were given."""

    verb: Verb
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


class RecordingDriver:
    """A driver for tests: every call is in `calls`, answered from a script, and may be made to fail.

    Args:
        target: where it says that it is.
        fail_at: the number of the call that fails, from 1; only that one does.
        error: what it fails with.

    Attributes:
        calls: every call so far, also one that failed.
    """

    def __init__(
        self, target: Target = LOCAL, *, fail_at: int | None = None, error: BaseException | None = None
    ) -> None:
        self.calls: list[Call] = []
        self._target = target
        self._fail_at = fail_at
        self._error = error or DriverError(f"call {fail_at} was told to fail")
        self._answers: dict[str, list[Any]] = {}

    def answer(self, verb: Verb, *answers: Any) -> None:
        """Script a verb: each call gets the next of `answers`, and the last one stays.

        An exception is raised. A function is called as the verb was, and its result is the answer. For
        ``compose`` and ``follow_logs`` the lines of a text also go to ``on_line``; ``save`` answers bytes.
        """
        self._answers[verb] = list(answers)

    @property
    def target(self) -> Target:
        """Where it says that it is."""
        return self._target

    def info(self) -> Engine:
        """See `Driver.info`."""
        answer: Engine = self._called("info")
        return answer

    def host(self, root: str) -> Host:
        """See `Driver.host`."""
        answer: Host = self._called("host", root)
        return answer

    def networks(self) -> tuple[Network, ...]:
        """See `Driver.networks`."""
        answer: tuple[Network, ...] = self._called("networks")
        return answer

    def compose(
        self, stack: Stack, *arguments: str, on_line: OnLine | None = None, timeout: float | None = None
    ) -> str:
        """See `Driver.compose`."""
        return _told(self._called("compose", stack, *arguments, timeout=timeout), on_line)

    def containers(self, project: str) -> tuple[Container, ...]:
        """See `Driver.containers`."""
        answer: tuple[Container, ...] = self._called("containers", project)
        return answer

    def logs(self, container: str, *, tail: int | None = None, since: str | None = None) -> str:
        """See `Driver.logs`."""
        answer: str = self._called("logs", container, tail=tail, since=since)
        return answer

    def follow_logs(self, project: str, services: Sequence[str] = (), *, tail: int = 100, on_line: OnLine) -> None:
        """See `Driver.follow_logs`."""
        _told(self._called("follow_logs", project, tuple(services), tail=tail), on_line)

    def exec(  # noqa: PLR0913 - the options of docker exec
        self,
        container: str,
        command: Sequence[str],
        *,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
        privileged: bool = False,
    ) -> ExecResult:
        """See `Driver.exec`."""
        answer: ExecResult = self._called(
            "exec", container, tuple(command), user=user, environment=environment, stdin=stdin, privileged=privileged
        )
        return answer

    def exec_interactive(self, container: str, command: Sequence[str], *, user: str | None = None) -> int:
        """See `Driver.exec_interactive`."""
        answer: int = self._called("exec_interactive", container, tuple(command), user=user)
        return answer

    def image(self, reference: str) -> Image | None:
        """See `Driver.image`."""
        answer: Image | None = self._called("image", reference)
        return answer

    def held(self, references: Iterable[str]) -> Mapping[str, Image]:
        """See `Driver.held`."""
        answer: Mapping[str, Image] = self._called("held", tuple(references))
        return answer

    def images(self, label: str = "") -> tuple[Image, ...]:
        """See `Driver.images`."""
        answer: tuple[Image, ...] = self._called("images", label)
        return answer

    def tag(self, image: str, reference: str) -> None:
        """See `Driver.tag`."""
        self._called("tag", image, reference)

    def remove_image(self, reference: str) -> None:
        """See `Driver.remove_image`."""
        self._called("remove_image", reference)

    def marked(self, label: str) -> tuple[Container, ...]:
        """See `Driver.marked`."""
        answer: tuple[Container, ...] = self._called("marked", label)
        return answer

    def publishing(self, ports: Iterable[int]) -> tuple[Container, ...]:
        """See `Driver.publishing`."""
        answer: tuple[Container, ...] = self._called("publishing", tuple(ports))
        return answer

    def create(self, name: str, image: str, labels: Mapping[str, str]) -> bool:
        """See `Driver.create`."""
        answer: bool = self._called("create", name, image, dict(labels))
        return answer

    def stop(self, container: str, seconds: int) -> None:
        """See `Driver.stop`."""
        self._called("stop", container, seconds)

    def remove(self, container: str) -> None:
        """See `Driver.remove`."""
        self._called("remove", container)

    def save(self, references: Sequence[str]) -> Iterator[bytes]:
        """See `Driver.save`."""
        return iter([self._called("save", tuple(references))])

    def load(self, chunks: Iterable[bytes]) -> None:
        """See `Driver.load`; the whole stream becomes the argument."""
        self._called("load", b"".join(chunks))

    def volumes(self, project: str) -> tuple[Volume, ...]:
        """See `Driver.volumes`."""
        answer: tuple[Volume, ...] = self._called("volumes", project)
        return answer

    def remove_volumes(self, names: Sequence[str]) -> None:
        """See `Driver.remove_volumes`."""
        self._called("remove_volumes", tuple(names))

    def _called(self, verb: Verb, *arguments: Any, **options: Any) -> Any:
        given = {name: value for name, value in options.items() if value not in (None, "") and value is not False}
        self.calls.append(Call(verb, arguments, given))
        if len(self.calls) == self._fail_at:
            raise self._error
        script = self._answers.get(verb) or [_UNSCRIPTED[verb]]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer(*arguments, **given) if callable(answer) else answer


def _told(text: str, on_line: OnLine | None) -> str:
    if on_line:
        for line in text.splitlines():
            on_line(line)
    return text
