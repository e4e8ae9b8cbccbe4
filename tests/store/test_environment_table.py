"""The table of environments, row by row, from Python and from env files: what differs in what is rendered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nself_sdk import (
    Auth,
    ComposeFile,
    CustomService,
    Environment,
    FrontendApp,
    Hasura,
    Mailpit,
    Monitoring,
    Project,
    Smtp,
    render,
)
from nself_sdk.checks import problems
from nself_sdk.store import ProjectFolder

PLACES = ("dev", "staging", "prod")
SMTP = Smtp(host="smtp.example.com", user="u", sender="shop@example.com")
SHOP: dict[str, Any] = {
    "hasura": Hasura(),
    "auth": Auth(smtp=SMTP),
    "payments": CustomService("payments", "fastapi-py", 8003),
    "web": FrontendApp("web", port=3000, route="app"),
    "monitoring": Monitoring(),
}
# The same, as variables.
VARIABLES = {
    "auth": "AUTH_SMTP_HOST=smtp.example.com\nAUTH_SMTP_USER=u\nAUTH_SMTP_SENDER=shop@example.com\n",
    "payments": "CS_1=payments:fastapi-py:8003\n",
    "web": "FRONTEND_APP_1_NAME=web\nFRONTEND_APP_1_PORT=3000\nFRONTEND_APP_1_ROUTE=app\n",
    "monitoring": "MONITORING_ENABLED=true\n",
    "mailpit": "MAILPIT_ENABLED=true\n",
    "no mail": "",
}

#: A project in an environment: its name, what is in the project, and facts.
Stack = Callable[..., tuple[Project, Environment]]


def from_python(name: str, parts: tuple[str, ...], **facts: bool) -> tuple[Project, Environment]:
    every = {**SHOP, "mailpit": Mailpit(), "no mail": Auth()}
    project = Project("shop").add(Hasura())
    for part in parts:
        project.add(every[part])
    return project, Environment.named(name, domain="shop.example.org", **facts)


@pytest.fixture(params=["python", "folder"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Stack:
    def from_folder(name: str, parts: tuple[str, ...], **facts: bool) -> tuple[Project, Environment]:
        auth = "" if {"auth", "no mail"} & set(parts) else "AUTH_ENABLED=false\n"
        said = "".join(f"{fact.upper()}={str(value).lower()}\n" for fact, value in facts.items())
        text = "PROJECT_NAME=shop\nBASE_DOMAIN=shop.example.org\n" + auth + said
        (tmp_path / ".env").write_text(text + "".join(VARIABLES[part] for part in parts), encoding="utf-8")
        folder = ProjectFolder(tmp_path)
        place = folder.environment(name)
        return folder.project(place), place

    return from_python if request.param == "python" else from_folder


WHOLE = ("auth", "payments", "web", "monitoring")


def rendered(stack: Stack, name: str, *parts: str, **facts: bool) -> ComposeFile:
    project, place = stack(name, parts or WHOLE, **facts)
    return render(project, place)


def hosts(stack: Stack, name: str, **facts: bool) -> set[str]:
    project, place = stack(name, WHOLE, **facts)
    return set(project.context(place).hosts)


def complaints(stack: Stack, name: str, *parts: str, **facts: bool) -> list[str]:
    project, place = stack(name, parts, **facts)
    return [problem.where for problem in problems(render(project, place), place)]


@pytest.mark.parametrize("name", PLACES)
def test_a_folder_and_python_say_the_same(name: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "PROJECT_NAME=shop\nBASE_DOMAIN=shop.example.org\n" + "".join(VARIABLES[p] for p in WHOLE)
    )
    folder = ProjectFolder(tmp_path)
    place = folder.environment(name)
    project, here = from_python(name, WHOLE)
    assert render(folder.project(place), place).to_yaml() == render(project, here).to_yaml()


@pytest.mark.parametrize(("name", "there"), [("dev", True), ("staging", True), ("prod", False)])
def test_frontends_are_in_dev_and_staging_and_not_in_prod(stack: Stack, name: str, there: bool) -> None:
    assert ("app.shop.example.org" in hosts(stack, name)) is there
    assert "app.shop.example.org" in hosts(stack, name, frontends=True)
    assert "app.shop.example.org" not in hosts(stack, name, frontends=False)


@pytest.mark.parametrize(
    ("name", "console", "dev_mode"),
    [("dev", "true", "true"), ("staging", "true", "false"), ("prod", "false", "false")],
)
def test_hasuras_console_and_dev_mode(stack: Stack, name: str, console: str, dev_mode: str) -> None:
    variables = rendered(stack, name).services["hasura"].environment_map
    assert variables["HASURA_GRAPHQL_ENABLE_CONSOLE"] == console
    assert variables["HASURA_GRAPHQL_DEV_MODE"] == dev_mode


def test_log_levels(stack: Stack) -> None:
    variables = {name: {key: s.environment_map for key, s in rendered(stack, name).services.items()} for name in PLACES}
    assert [variables[name]["payments"]["LOG_LEVEL"] for name in PLACES] == ["debug", "info", "warning"]
    assert [variables[name]["hasura"]["HASURA_GRAPHQL_LOG_LEVEL"] for name in PLACES] == ["debug", "info", "warn"]
    assert [variables[name]["auth"]["AUTH_DEBUG"] for name in PLACES] == ["true", "false", "false"]


@pytest.mark.parametrize(("name", "found"), [("dev", []), ("staging", []), ("prod", ["services.mailpit"])])
def test_mailpit_is_refused_in_prod_alone(stack: Stack, name: str, found: list[str]) -> None:
    assert complaints(stack, name, "mailpit", "monitoring") == found
    assert complaints(stack, name, "mailpit", "monitoring", real_mail_required=False) == []


@pytest.mark.parametrize(("name", "found"), [("dev", []), ("staging", []), ("prod", ["services.auth"])])
def test_real_mail_settings_are_required_in_prod(stack: Stack, name: str, found: list[str]) -> None:
    assert complaints(stack, name, "no mail", "monitoring") == found
    assert complaints(stack, name, *WHOLE) == []


@pytest.mark.parametrize(("name", "found"), [("dev", []), ("staging", []), ("prod", ["monitoring"])])
def test_monitoring_is_required_in_prod_unless_somebody_says_no_on_purpose(
    stack: Stack, name: str, found: list[str]
) -> None:
    assert complaints(stack, name, "payments") == found
    assert complaints(stack, name, "payments", monitoring_required=False) == []


def test_only_dev_has_the_local_ca(stack: Stack) -> None:
    assert [stack(name, ())[1].tls for name in PLACES] == ["local-ca", "own", "own"]


def test_dev_publishes_nginx_and_databases_on_the_loopback_address_and_the_others_nginx_alone(stack: Stack) -> None:
    published = {
        name: {s: {p.host_ip for p in service.port_mappings} for s, service in rendered(stack, name).services.items()}
        for name in PLACES
    }
    open_ = {name: {s for s, ips in services.items() if ips} for name, services in published.items()}
    assert (open_["dev"], open_["staging"], open_["prod"]) == ({"nginx", "postgres"}, {"nginx"}, {"nginx"})
    assert {ip for ips in published["dev"].values() for ip in ips} == {"127.0.0.1"}


def test_custom_code_is_mounted_in_dev_and_an_image_elsewhere(stack: Stack) -> None:
    mounts = [[m.type for m in rendered(stack, name).services["payments"].volume_mounts] for name in PLACES]
    assert [("bind" in kinds) for kinds in mounts] == [True, False, False]
