"""The quickstart recipe renders to reviewed files.

To renew them after a change on purpose, and then read the difference::

    NSELF_RENEW_GOLDEN=1 python -m pytest tests/golden && git diff tests/golden
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import crossplane
import pytest

from nself_sdk import ComposeFile, Environment, render, resources
from nself_sdk.checks import problems

HERE = Path(__file__).parent
ENVIRONMENTS = ("dev", "staging", "prod")


def recipe() -> ModuleType:
    path = resources.folder("recipes") / "quickstart.py"
    spec = importlib.util.spec_from_file_location("quickstart", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rendered(env: str) -> ComposeFile:
    environment = Environment.named(env)
    return render(recipe().project(environment).in_folder(Path("/srv/quickstart")), environment)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_quickstart_renders_to_its_golden_file(env: str) -> None:
    golden, text = HERE / f"quickstart.{env}.yml", rendered(env).to_yaml()
    if os.environ.get("NSELF_RENEW_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text.splitlines() == golden.read_text(encoding="utf-8").splitlines(), f"if this is meant: see {__file__}"


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_quickstart_has_no_problems(env: str) -> None:
    alone = Environment.named(env, monitoring_required=False, real_mail_required=False)
    assert problems(rendered(env), alone) == ()


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_its_nginx_answers_for_every_host_once_with_hsts_outside_dev(env: str, tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    [text] = [config.content or "" for name, config in rendered(env).configs.items() if name.startswith("nginx.conf")]
    path.write_text(text.replace("$$", "$"), encoding="utf-8")
    [http] = blocks(crossplane.parse(str(path), single=True)["config"][0]["parsed"], "http")
    tls = [server for server in blocks(http, "server") if arguments(server, "http2")]
    domain = Environment.named(env).domain
    assert [arguments(server, "server_name") for server in tls] == [
        [[f"{name}.{domain}"]] for name in ("api", "auth", "hello")
    ]
    hsts = ["Strict-Transport-Security", "max-age=31536000", "always"]
    assert {hsts in arguments(server, "add_header") for server in tls} == {env != "dev"}


def blocks(parsed: list[dict[str, Any]], directive: str) -> list[list[dict[str, Any]]]:
    return [found["block"] for found in parsed if found["directive"] == directive]


def arguments(block: list[dict[str, Any]], directive: str) -> list[list[str]]:
    return [found["args"] for found in block if found["directive"] == directive]


def test_what_differs_between_staging_and_prod_is_little() -> None:
    staging, prod = (rendered(env).services for env in ("staging", "prod"))
    differing = {name for name in staging if staging[name] != prod[name]}
    assert {"hasura", "postgres"} <= differing
    assert "redis" not in differing
