"""The wheel holds everything: installed alone it starts a project, builds it, and finds templates and recipes."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def run(*arguments: str, cwd: Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the wheel, and for the rest the packages that are installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist"), cwd=ROOT)
    venv.create(folder / "venv", with_pip=False)
    packages = next((folder / "venv").glob("lib/python*/site-packages"))
    [wheel] = (folder / "dist").glob("*.whl")
    run(sys.executable, "-m", "zipfile", "-e", str(wheel), str(packages), cwd=folder)
    # After the venv's own folder, so that nself_sdk is the wheel's; a .pth inside the other folder is not followed.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "venv" / "bin" / "python"


def test_the_package_is_the_wheels(python: Path, tmp_path: Path) -> None:
    place = run(str(python), "-c", "import nself_sdk; print(nself_sdk.__file__)", cwd=tmp_path)
    assert Path(place.strip()).is_relative_to(python.parents[1])


def test_it_starts_and_builds_a_project(python: Path, tmp_path: Path) -> None:
    run(str(python), "-m", "nself_sdk", "-C", str(tmp_path / "shop"), "init", cwd=tmp_path)
    for env in ("dev", "staging", "prod"):
        run(str(python), "-m", "nself_sdk", "-C", str(tmp_path / "shop"), "build", env, cwd=tmp_path)
    made = {str(path.relative_to(tmp_path / "shop")) for path in (tmp_path / "shop").rglob("*")}
    assert {"stack.py", "docker-compose.yml", "rendered/nginx.conf", "services/hello/Dockerfile"} <= made


def test_it_carries_every_template_and_recipe(python: Path, tmp_path: Path) -> None:
    code = "from nself_sdk import resources as r; print(*r.template_names(), *map(str, r.folder('recipes').iterdir()))"
    found = {Path(word).name for word in run(str(python), "-c", code, cwd=tmp_path).split()}
    here = {path.parent.name for path in (ROOT / "templates").glob("*/template.toml")}
    assert {*here, "quickstart.py"} <= found


def test_it_is_typed_and_brings_its_command(python: Path) -> None:
    [packages] = python.parents[1].glob("lib/python*/site-packages")
    assert (packages / "nself_sdk" / "py.typed").is_file()
    [entry_points] = packages.glob("nself_sdk-*.dist-info/entry_points.txt")
    assert "nself-sdk = nself_sdk.cli:main" in entry_points.read_text(encoding="utf-8")


def test_a_wheel_holds_no_tests(python: Path) -> None:
    [packages] = python.parents[1].glob("lib/python*/site-packages")
    assert sorted(path.name.split("-")[0] for path in packages.iterdir()) == ["nself_sdk", "nself_sdk", "others.pth"]
