"""The scaffolds for custom services in Python: whole when rendered, and well when run."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jinja2 import Environment, StrictUndefined, UndefinedError

from nself_sdk import CustomService, Project, resources
from nself_sdk.store import ProjectFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATES = ("fastapi-py", "grpc")


@pytest.fixture(scope="module", params=TEMPLATES)
def template(request: pytest.FixtureRequest) -> str:
    return request.param


def scaffolded(template: str, folder: Path) -> Path:
    ProjectFolder(folder).scaffold(Project("shop").add(CustomService("order-mailer", template, 8123)))
    return folder / "services" / "order-mailer"


def files(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if path.is_file())


def requirements(lock: Path) -> dict[str, str]:
    """Return the text of each entry of a lock file by its package."""
    entries = re.split(r"^(?=[a-z0-9])", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.split(r"[=\[ ;]", entry)[0]: entry for entry in entries if entry.strip()}


@pytest.fixture(scope="module")
def service(template: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scaffolded(template, tmp_path_factory.mktemp(template))


def test_nothing_is_left_to_render(service: Path) -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in files(service)}
    assert [path for path in texts if path.suffix == ".j2"] == []
    assert [path for path, text in texts.items() if "{{" in text or "{%" in text] == []


@pytest.mark.parametrize("name", resources.template_names())
@pytest.mark.parametrize("missing", ["name", "port", "project"])
def test_each_name_is_needed(name: str, missing: str) -> None:
    jinja = Environment(undefined=StrictUndefined)  # noqa: S701 - no HTML
    values = {"name": "a", "port": 1, "project": "b"}
    values.pop(missing)

    def renders(path: Path) -> bool:
        try:
            jinja.from_string(path.read_text(encoding="utf-8")).render(values)
        except UndefinedError:
            return False
        return True

    assert not all(renders(path) for path in files(resources.folder("templates") / name, "*.j2"))


def test_name_and_port_arrive(service: Path) -> None:
    dockerfile = (service / "Dockerfile").read_text(encoding="utf-8")
    settings = (service / "app" / "settings.py").read_text(encoding="utf-8")
    project = tomllib.loads((service / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert re.search(r"^EXPOSE 8123\b", dockerfile, flags=re.MULTILINE)
    assert "PORT=8123" in dockerfile
    assert 'name: str = "order-mailer"' in settings
    assert "port: int = 8123" in settings
    assert project["name"] == "order-mailer"


def test_it_is_whole_python(service: Path) -> None:
    sources = files(service, "*.py")
    assert {path.name for path in sources} >= {"main.py", "__main__.py", "healthcheck.py", "test_app.py"}
    for path in sources:
        compile(path.read_text(encoding="utf-8"), path, "exec")


def test_the_image_is_pinned_and_not_roots(service: Path) -> None:
    dockerfile = (service / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.13\.\d+-slim-trixie$", dockerfile, flags=re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", dockerfile, flags=re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", dockerfile, flags=re.MULTILINE)
    assert dockerfile.rstrip().endswith('CMD ["python", "-m", "app"]')


def test_what_the_template_tells_the_sdk_is_true(service: Path, template: str) -> None:
    facts = tomllib.loads((resources.folder("templates") / template / "template.toml").read_text(encoding="utf-8"))
    dockerfile = (service / "Dockerfile").read_text(encoding="utf-8")
    drain = re.search(r"drain_seconds: int = (\d+)", (service / "app" / "settings.py").read_text(encoding="utf-8"))
    assert "WORKDIR /srv" in dockerfile
    assert (service / Path(facts["healthcheck"][1]).relative_to("/srv")).is_file()
    assert facts["reload"]["target"] == "/srv/" + facts["reload"]["source"]
    assert f"COPY {facts['reload']['source']} ./{facts['reload']['source']}" in dockerfile
    assert facts["reload"]["command"] == ["python", "-m", "app", "--reload"]
    assert drain
    assert facts["stop_grace_seconds"] > int(drain[1])
    if "probes_port" in facts:
        assert f"PROBES_PORT={facts['probes_port']}\n" in dockerfile


def test_every_copied_file_passes_the_dockerignore(service: Path) -> None:
    dockerfile = (service / "Dockerfile").read_text(encoding="utf-8")
    copied = set(re.findall(r"^COPY (?!--from)(\S+)", dockerfile, flags=re.MULTILINE))
    allowed = {line[1:] for line in (service / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == allowed
    assert all((service / name).exists() for name in copied)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_requirement_is_pinned_with_hashes(service: Path, lock: str) -> None:
    for package, entry in requirements(service / lock).items():
        assert re.match(rf"{package}==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_locks_name_no_index_and_no_service(service: Path) -> None:
    for lock in files(service, "*.lock"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        assert "index" not in text
        assert not re.search(r"via (?!pyproject\.toml)\S+ \(pyproject", text)


def test_the_lock_holds_every_dependency(service: Path) -> None:
    project = tomllib.loads((service / "pyproject.toml").read_text(encoding="utf-8"))
    locked = requirements(service / "requirements.lock")
    declared = {re.split(r"[>=<;\[ ]", text)[0] for text in project["project"]["dependencies"]}
    assert declared <= locked.keys()


def test_what_is_tested_is_what_runs(service: Path) -> None:
    run, test = (requirements(service / lock) for lock in ("requirements.lock", "requirements-dev.lock"))

    def version(entry: str) -> str:
        return entry.split(maxsplit=1)[0]

    assert {name: version(entry) for name, entry in run.items()} == {name: version(test[name]) for name in run}


@pytest.fixture(scope="module")
def python(service: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a virtual environment with the service's own requirements."""
    home = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    interpreter = home / "bin" / "python"
    install = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    lock = service / "requirements-dev.lock"
    subprocess.run([*install, "--require-hashes", "--only-binary", ":all:", "-r", lock], check=True)
    return interpreter


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["pytest", "mypy", "ruff check", "ruff format --check"])
def test_its_own_tools_are_content(service: Path, python: Path, tool: str) -> None:
    done = subprocess.run(
        [python, "-m", *tool.split()], cwd=service, capture_output=True, text=True, check=False, env=_environment()
    )
    assert done.returncode == 0, done.stdout + done.stderr


#: How each is given something that takes its time: the file, the text before which it goes, and what.
SLOW = {
    "fastapi-py": (
        "app/api.py",
        '@router.get("/")',
        '@router.get("/slow")\nasync def slow() -> str:\n    import asyncio, logging\n'
        '    logging.getLogger("app").info("in flight")\n    await asyncio.sleep(1)\n'
        '    return "done"\n\n\n',
    ),
    "grpc": (
        "app/greeter.py",
        "        if not request.name:",
        "        import asyncio, logging\n"
        '        logging.getLogger("app").info("in flight")\n        await asyncio.sleep(1)\n',
    ),
}
#: A caller of that, which prints what it is answered.
CALLER = {
    "fastapi-py": "import sys, urllib.request as r\nprint(r.urlopen(f'http://127.0.0.1:{sys.argv[1]}/slow').read())",
    "grpc": """
import grpc, sys
from app.protocol.greeter_pb2 import GreetRequest
from app.protocol.greeter_pb2_grpc import GreeterServiceStub
with grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
    print(GreeterServiceStub(channel).Greet(GreetRequest(name="done")).message)
""",
}


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


@pytest.fixture
def served(template: str, python: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path, str]]:
    """Serve a copy with something slow in it, and yield its process, its folder and its port."""
    copy = scaffolded(template, tmp_path)
    name, before, slow = SLOW[template]
    text = (copy / name).read_text(encoding="utf-8")
    assert text.count(before) == 1
    (copy / name).write_text(text.replace(before, slow + before), encoding="utf-8")
    port = free_port()
    environment = _environment(PORT=port, PROBES_PORT=free_port())
    with subprocess.Popen(
        [python, "-m", "app"], cwd=copy, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            check = [python, "healthcheck.py"]
            deadline = time.monotonic() + 20
            while subprocess.run(check, cwd=copy, env=environment, capture_output=True, check=False).returncode:
                assert process.poll() is None, "it ended before it was ready"
                assert time.monotonic() < deadline, "it never got ready"
                time.sleep(0.1)
            yield process, copy, port
        finally:
            process.kill()


@pytest.mark.slow
def test_sigterm_lets_the_request_in_flight_end_and_exits_with_0(
    served: tuple[subprocess.Popen[str], Path, str], template: str, python: Path
) -> None:
    process, folder, port = served
    call = [python, "-c", CALLER[template], port]
    with subprocess.Popen(call, cwd=folder, env=_environment(), stdout=subprocess.PIPE, text=True) as caller:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline())]
        while lines[-1]["message"] != "in flight":
            lines.append(json.loads(process.stdout.readline()))
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=10)
        answer, _ = caller.communicate(timeout=10)
    assert "done" in answer
    assert process.returncode == 0
    assert time.monotonic() - started < 15  # not its whole drain time
    lines += [json.loads(line) for line in output.splitlines()]
    assert {line["service"] for line in lines} == {"order-mailer"}


def _environment(**more: str) -> dict[str, str]:
    """Return an environment in which nothing of this test run speaks to the service."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONDONTWRITEBYTECODE": "1", **more}
