"""A host in memory: as much of an engine and of Compose as a deploy needs, behind the recorded verbs."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nself_sdk.compose import ComposeFile
from nself_sdk.deploy import lock, rollout, running
from nself_sdk.deploy.observing import reloadable
from nself_sdk.docker import Container, ExecResult, Image
from nself_sdk.docker.values import Mount
from nself_sdk.plan import CONFIG_HASH, sha
from nself_sdk.testing import RecordingDriver

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from nself_sdk.docker import Stack
    from nself_sdk.testing.recording import Verb

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting, and no calls of the threads that watch."""
    for module, name, value in (
        (rollout, "_POLL", 0),
        (running, "_POLL_SECONDS", 60),
        (lock, "_BEAT", 60),
    ):
        monkeypatch.setattr(module, name, value)


class FakeHost(RecordingDriver):
    """Every image is there, and every service is healthy as soon as it is up.

    ``fail_at`` counts the calls of the thread that deploys; those of its watchers come when they please.
    """

    def __init__(self) -> None:
        super().__init__()
        self.main = threading.get_ident()
        self.fail_at: int | None = None
        self.failure: BaseException | None = None
        self.count = 0
        self.verbs: list[Verb] = []
        self.made: dict[str, Container] = {}
        self.locks: dict[str, Container] = {}
        self.kept: dict[str, Image] = {}
        self.files: dict[str, str] = {}
        #: Jobs that end with 1.
        self.failing: set[str] = set()
        answers: dict[Verb, Any] = {
            "compose": self._compose,
            "containers": lambda _: tuple(self.made.values()),
            "exec": self._exec,
            "image": self._image,
            "held": lambda references: {reference: self._image(reference) for reference in references},
            "images": lambda label: tuple(i for i in self.kept.values() if label.partition("=")[0] in i.labels),
            "load": self._load,
            "create": self._create,
            "marked": self._marked,
            "stop": self._stop,
            "remove": self._remove,
        }
        for verb, answer in answers.items():
            self.answer(verb, answer)

    def _called(self, verb: Verb, *arguments: Any, **options: Any) -> Any:
        if threading.get_ident() == self.main:
            self.count += 1
            self.verbs.append(verb)
            if self.count == self.fail_at and self.failure is not None:
                raise self.failure
        return super()._called(verb, *arguments, **options)

    def _image(self, reference: str) -> Image:
        return Image(id=f"sha256:{sha(reference)}", os="linux", architecture="amd64", size=1)

    def _load(self, stream: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(stream)) as tar:
            [manifest] = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
            labels = json.load(tar.extractfile(manifest["Config"]))["config"]["Labels"]  # type: ignore[arg-type]
        [name] = manifest["RepoTags"]
        self.kept[name] = Image(id=f"sha256:{sha(name)}", os="linux", architecture="amd64", size=1, labels=labels)

    def _create(self, name: str, image: str, labels: Mapping[str, str]) -> bool:
        if name in self.locks:
            return False
        self.locks[name] = Container(
            id=name, name=name, project="", service="", number=0, image=image, image_id="", state="created",
            labels=labels, created_at=NOW,
        )  # fmt: skip
        return True

    def _marked(self, label: str) -> tuple[Container, ...]:
        key, _, value = label.partition("=")
        return tuple(c for c in self.locks.values() if c.labels.get(key) == value)

    def _stop(self, container: str, _: int) -> None:
        self.made[container] = replace(self.made[container], state="exited", exit_code=0, health="none")

    def _remove(self, container: str) -> None:
        self.made.pop(container, None)
        self.locks.pop(container, None)

    def _exec(self, _: str, command: tuple[str, ...], stdin: str = "", **__: Any) -> ExecResult:
        if command[0] == "sha256sum":
            there = {path: self.files[path] for path in command[1:] if path in self.files}
            return ExecResult(exit_code=0, stdout="".join(f"{digest}  {path}\n" for path, digest in there.items()))
        for path, text in (line.split() for line in stdin.splitlines() if line):
            self.files[path] = sha(base64.b64decode(text).decode())
        return ExecResult(exit_code=0)

    def _compose(self, stack: Stack, *arguments: str, **_: Any) -> str:
        file = ComposeFile.loads(stack.file)
        written = {name: json.dumps(service.written, default=str) for name, service in file.services.items()}
        marks = {name: [m for m in stack.variables.items() if m[0] in text] for name, text in written.items()}
        hashes = {name: sha(f"{text}{marks[name]}") for name, text in written.items()}
        if arguments[0] == "config":
            return "".join(f"{name} {digest}\n" for name, digest in hashes.items())
        if arguments[0] == "up":
            self._up(stack.project, file, hashes, arguments)
            texts = [reloadable(file, name, stack.secrets) for name in arguments if name in file.services]
            self.files |= {path: sha(text) for found in texts for path, text in found.items()}
        return ""

    def _up(self, project: str, file: ComposeFile, hashes: Mapping[str, str], arguments: tuple[str, ...]) -> None:
        scaled = dict(a.split("=") for a in arguments if "=" in a)
        for name in [a for a in arguments[1:] if a in file.services]:
            present = [c for c in self.made.values() if c.service == name]
            if "--no-recreate" not in arguments:
                for one in present:
                    del self.made[one.id]
                present = []
            for _ in range(int(scaled.get(name, "1")) - len(present)):
                self._start(project, name, file, hashes[name])

    def _ended(self, job: str) -> tuple[Any, int | None]:
        """The state and the exit code of a job's new container."""
        return "exited", int(job in self.failing)

    def _start(self, project: str, name: str, file: ComposeFile, digest: str) -> None:
        number = 1 + max((c.number for c in self.made.values() if c.service == name), default=0)
        is_job = file.services[name].restart == "no"
        state, code = self._ended(name) if is_job else ("running", None)
        made = Container(
            id=f"{name}-{len(self.calls)}-{number}",
            name=f"{project}-{name}-{number}",
            project=project,
            service=name,
            number=number,
            image=str(file.services[name].image),
            image_id=self._image(str(file.services[name].image)).id,
            state=state,
            exit_code=code,
            health="none" if is_job else "healthy",
            labels={CONFIG_HASH: digest},
            addresses={f"{project}_default": f"10.0.0.{len(self.made) + 2}"},
            mounts=tuple(Mount("volume", f"{project}_{m.source}", str(m.target), read_only=False)
                         for m in file.services[name].volume_mounts if m.type == "volume"),
        )  # fmt: skip
        self.made[made.id] = made
