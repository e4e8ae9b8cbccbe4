"""The scaffolds for custom services on Node: whole when rendered, true to what they tell the SDK, and well when run."""

from __future__ import annotations

import json
import re
import time
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from rig.shell import docker

from nself_sdk import CustomService, Project, Redis, resources
from nself_sdk.store import ProjectFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TEMPLATES = ("bullmq-js", "express-js", "nestjs")


@pytest.fixture(scope="module", params=TEMPLATES)
def template(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def service(template: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(template)
    ProjectFolder(folder).scaffold(Project("shop").add(CustomService("order-mailer", template, 8123)))
    return folder / "services" / "order-mailer"


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def lock(service: Path) -> dict[str, Any]:
    packages: dict[str, Any] = json.loads(text(service / "package-lock.json"))["packages"]
    return packages


def test_nothing_is_left_to_render(service: Path) -> None:
    assert [path for path in files(service) if path.suffix == ".j2"] == []
    assert [path for path in files(service) if re.search(r"\{\{ |\{% ", text(path))] == []


def test_name_and_port_arrive(service: Path) -> None:
    assert "EXPOSE 8123" in text(service / "Dockerfile")
    assert json.loads(text(service / "package.json"))["name"] == lock(service)[""]["name"] == "order-mailer"
    (settings,) = (service / "src").glob("settings.*")
    assert "order-mailer" in text(settings)
    assert "8123" in text(settings)


def test_the_image_is_pinned_and_not_roots(service: Path) -> None:
    dockerfile = text(service / "Dockerfile")
    assert re.search(r"^ARG NODE_IMAGE=node:24\.\d+\.\d+-trixie-slim$", dockerfile, flags=re.MULTILINE)
    last = dockerfile.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, flags=re.MULTILINE)
    assert re.search(r'^CMD \["node", ', last, flags=re.MULTILINE)


def test_every_copied_file_passes_the_dockerignore(service: Path) -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \./?\S*$", text(service / "Dockerfile"), flags=re.MULTILINE)
    allowed = {line[1:] for line in text(service / ".dockerignore").splitlines() if line.startswith("!")}
    assert {name for names in copied for name in names.split()} == allowed
    assert all((service / name).exists() for name in allowed)


def test_what_the_template_tells_the_sdk_is_true(service: Path, template: str) -> None:
    facts = tomllib.loads(text(resources.folder("templates") / template / "template.toml"))
    dockerfile = text(service / "Dockerfile")
    settings = "".join(text(path) for path in (service / "src").glob("settings.*"))
    drain = re.search(r'(?:drainSeconds: |DRAIN_SECONDS"\) \?\? ")(\d+)', settings)
    assert facts["healthcheck"][1] == "/srv/healthcheck.js"
    assert (service / "healthcheck.js").is_file()
    assert facts["reload"]["target"] == "/srv/" + facts["reload"]["source"] == "/srv/src"
    assert facts["reload"]["command"][:2] == ["node", "watch.js"]
    assert (service / facts["reload"]["command"][-1]).is_file()
    assert f" AS {facts['reload'].get('stage', 'dependencies')}\n" in dockerfile
    assert drain
    assert facts["stop_grace_seconds"] > int(drain[1])


def test_the_lock_holds_every_package_with_its_hash_and_names_no_registry(service: Path) -> None:
    packages = {name: entry for name, entry in lock(service).items() if name}
    assert [name for name, entry in packages.items() if not entry.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    declared = json.loads(text(service / "package.json"))
    for kind in ("dependencies", "devDependencies"):
        assert lock(service)[""][kind] == declared[kind]


def test_the_lock_is_whole_on_every_platform(service: Path) -> None:
    """A lock that was made with packages of one platform alone is refused by newer npms, and by other machines."""
    packages = lock(service)
    missing = {
        name
        for path, entry in packages.items()
        for name in entry.get("optionalDependencies", {})
        if not {f"node_modules/{name}", f"{path}/node_modules/{name}"} & packages.keys()
    }
    assert missing == set()


SCRIPTS = {
    "bullmq-js": ("test", "check"),
    "express-js": ("test", "check"),
    "nestjs": ("test", "check", "build"),
}
#: What is the same in both, to the byte: who mends one mends the other.
ALIKE = ("biome.json", "healthcheck.js", "src/failures.js", "src/logs.js", "src/observe.js", "src/probes.js", "src/tracing.js", "watch.js")


@pytest.mark.parametrize("name", ALIKE)
def test_what_the_worker_shares_with_the_api_is_the_same(name: str) -> None:
    folder = resources.folder("templates")
    assert (folder / "bullmq-js" / name).read_bytes() == (folder / "express-js" / name).read_bytes()


@pytest.fixture
def redis(template: str, rig_images: Callable[..., object]) -> Iterator[str | None]:
    """A Redis for the tests of the template that is about one: the container whose network has it."""
    if template != "bullmq-js":
        yield None
        return
    rig_images(Redis().image)
    name = docker("run", "--detach", "--rm", Redis().image)
    try:
        yield name
    finally:
        docker("rm", "--force", name)


@pytest.mark.docker
def test_its_own_tools_are_content(
    service: Path, template: str, redis: str | None, rig_images: Callable[..., object]
) -> None:
    image = re.findall(r"^ARG NODE_IMAGE=(\S+)", text(service / "Dockerfile"), re.MULTILINE)[0]
    rig_images(image)
    steps = ["npm ci --ignore-scripts --no-audit --no-fund", *(f"npm run {script}" for script in SCRIPTS[template])]
    # Copied in, not mounted: what npm writes would belong to root.
    options = ["--workdir=/srv", "--env=HOME=/tmp"]
    if redis:
        options += [f"--network=container:{redis}", "--env=TEST_REDIS_URL=redis://127.0.0.1:6379/0"]
    name = docker("create", *options, image, "sh", "-ec", " && ".join(steps))
    try:
        docker("cp", f"{service}/.", f"{name}:/srv")
        assert re.search(r"^\S skipped 0$", docker("start", "--attach", name), flags=re.MULTILINE)
    finally:
        docker("rm", "--force", name)


MAIN = """
import { version } from "./version.js";
console.log("runs", version);
setInterval(() => {}, 1000);
process.once("SIGTERM", () => process.exit(0));
"""


@pytest.mark.docker
def test_a_saved_file_restarts_the_service_also_one_that_was_replaced_and_one_that_was_wrong(
    tmp_path: Path, rig_images: Callable[..., object]
) -> None:
    """As editors save: a file that only its owner may read takes the place of the one before."""
    folder = resources.folder("templates") / "express-js"
    image = re.findall(r"^ARG NODE_IMAGE=(\S+)", text(folder / "Dockerfile.j2"), re.MULTILINE)[0]
    rig_images(image)
    (tmp_path / "src").mkdir()
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "watch.js").write_text(text(folder / "watch.js"))
    (tmp_path / "src" / "main.js").write_text(MAIN)
    (tmp_path / "src" / "version.js").write_text("export const version = 0;\n")
    watched = "exec node watch.js src/main.js 2>&1"
    name = docker("create", "--user=10001:10001", "--workdir=/srv", image, "sh", "-c", watched)
    try:
        docker("cp", f"{tmp_path}/.", f"{name}:/srv")
        docker("start", name)
        for version in ("0", "1", "", "2"):
            if version != "0":
                save = f"sed -i 's/=.*/= {version};/' version.js && chmod a+r version.js"
                docker("exec", "--user=0", "--workdir=/srv/src", name, "sh", "-c", save)
            said = f"runs {version}" if version else "SyntaxError"
            deadline = time.monotonic() + 20
            while said not in (lines := docker("logs", name)):
                assert time.monotonic() < deadline, lines
                time.sleep(0.2)
        docker("stop", name)
        assert docker("inspect", "--format={{.State.ExitCode}}", name) == "0"
    finally:
        docker("rm", "--force", name)
