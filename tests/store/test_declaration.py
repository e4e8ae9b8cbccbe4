"""A project made of env files, with the variables of the old system."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from nself_sdk import (
    Auth,
    CustomService,
    Hasura,
    Mailpit,
    Meilisearch,
    Minio,
    Postgres,
    Project,
    Redis,
    Typesense,
    render,
)
from nself_sdk.errors import DeclarationError
from nself_sdk.store import ProjectFolder
from nself_sdk.store.folder import NotHonouredWarning

DEMO = """\
PROJECT_NAME=demo
BASE_DOMAIN=demo.example.org
CS_1=order-api:express-js:8001 # Order processing API
CS_2=webhooks:nestjs:8002 # Webhook handler service
CS_3=payments:fastapi-py:8003 # Payment processing
CS_4=ml-inference:fastapi-py:8004 # ML model serving
NSELF_ADMIN_ENABLED=true
MINIO_ENABLED=true
REDIS_ENABLED=true
FUNCTIONS_ENABLED=true
MLFLOW_ENABLED=true
MAILPIT_ENABLED=true
MEILISEARCH_ENABLED=true
MONITORING_ENABLED=true
REMOTE_SCHEMA_1_NAME=app1
REMOTE_SCHEMA_1_DOMAIN=api.app1.com
REMOTE_SCHEMA_2_NAME=app2
REMOTE_SCHEMA_2_DOMAIN=api.app2.com
FRONTEND_APP_1_NAME=web
FRONTEND_APP_1_PORT=3000
FRONTEND_APP_1_ROUTE=app
FRONTEND_APP_2_NAME=admin
FRONTEND_APP_2_PORT=3001
FRONTEND_APP_2_ROUTE=dashboard
"""
TEN = [
    "prometheus",
    "grafana",
    "loki",
    "promtail",
    "tempo",
    "alertmanager",
    "cadvisor",
    "node-exporter",
    "postgres-exporter",
    "redis-exporter",
]


def made(folder: Path, text: str, env: str = "dev") -> Project:
    (folder / ".env").write_text(text, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Project.from_env(folder, env)


def custom(folder: Path, text: str, env: str = "dev") -> CustomService:
    services = made(folder, text, env).services.values()
    return next(service for service in services if isinstance(service, CustomService))


def problems_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        made(folder, text)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize("env", ["dev", "staging", "prod"])
def test_the_demo_project_renders_whole_in_every_environment(tmp_path: Path, env: str) -> None:
    project = made(tmp_path, DEMO, env)
    services = render(project, ProjectFolder(tmp_path).environment(env)).services
    core = {"postgres", "hasura", "auth", "nginx"}
    optional = {"nself-admin", "minio", "redis", "functions", "mlflow", "mailpit", "meilisearch"}
    own = {"order-api", "webhooks", "payments", "ml-inference", "app1", "app2"}
    assert (core | optional | set(TEN) | own) - set(services) == set()


def test_defect_10_frontends_and_remote_schemas_are_routed(tmp_path: Path) -> None:
    project = made(tmp_path, DEMO)
    hosts = project.context(ProjectFolder(tmp_path).environment("staging")).hosts
    wanted = {"app.demo.example.org", "dashboard.demo.example.org", "api.app1.com", "api.app2.com"}
    assert wanted - set(hosts) == set()


def test_core_services_are_there_unless_switched_off(tmp_path: Path) -> None:
    assert set(made(tmp_path, "PROJECT_NAME=a\n").services) == {"postgres", "hasura", "auth"}
    assert set(made(tmp_path, "PROJECT_NAME=a\nAUTH_ENABLED=false\n").services) == {"postgres", "hasura"}


def test_what_is_needed_cannot_be_switched_off(tmp_path: Path) -> None:
    assert problems_of(tmp_path, "PROJECT_NAME=a\nHASURA_ENABLED=false\n") == [
        ".env:2: HASURA_ENABLED: auth needs Hasura; set it to true, or leave auth out"
    ]


def test_variables_set_the_fields_of_their_services(tmp_path: Path) -> None:
    text = (
        "PROJECT_NAME=a\nPOSTGRES_VERSION=16-alpine\nPOSTGRES_DB=${PROJECT_NAME}_db\nPOSTGRES_EXPOSE_PORT=false\n"
        "POSTGRES_MEMORY=2G\nREDIS_ENABLED=true\nREDIS_PORT=6380\nHASURA_ROUTE=graphql\nMINIO_ENABLED=yes\n"
        "MINIO_DEFAULT_BUCKETS=one, two\nHASURA_GRAPHQL_CORS_DOMAIN=https://$x\n"
    )
    services = made(tmp_path, text).services
    assert services["postgres"] == Postgres(image="postgres:16-alpine", database="a_db", port=None, memory="2g")
    assert services["redis"] == Redis(port=6380)
    assert services["minio"] == Minio(buckets=("one", "two"))
    assert services["hasura"] == Hasura(route="graphql", environment={"HASURA_GRAPHQL_CORS_DOMAIN": "https://$$x"})


def test_the_mail_server_is_read_and_mailpit_is_none(tmp_path: Path) -> None:
    text = "PROJECT_NAME=a\nAUTH_SMTP_HOST=smtp.a.org\nAUTH_SMTP_USER=u\nAUTH_SMTP_SENDER=a@a.org\nAUTH_SMTP_PORT=465\n"
    auth = made(tmp_path, text).services["auth"]
    assert isinstance(auth, Auth)
    assert auth.smtp is not None
    assert (auth.smtp.host, auth.smtp.port) == ("smtp.a.org", 465)
    caught = made(tmp_path, "PROJECT_NAME=a\nMAILPIT_ENABLED=true\nAUTH_SMTP_HOST=mailpit\n")
    assert caught.services["auth"] == Auth()
    assert caught.services["mailpit"] == Mailpit()


@pytest.mark.parametrize(("provider", "kind"), [("meilisearch", Meilisearch), ("typesense", Typesense)])
def test_search_is_one_of_two(tmp_path: Path, provider: str, kind: type) -> None:
    services = made(
        tmp_path, f"PROJECT_NAME=a\nSEARCH_ENABLED=true\nSEARCH_PROVIDER={provider}\nSEARCH_ROUTE=find\n"
    ).services
    assert services[provider] == kind(route="find")


def test_one_warning_names_all_that_is_not_honoured_and_where(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PROJECT_NAME=a\nHASURA_PORT=8080\nMINE=1\nPOSTGRES_PASSWORD=hunter2\n")
    with pytest.warns(NotHonouredWarning) as caught:
        Project.from_env(tmp_path)
    assert [str(warning.message) for warning in caught] == [
        (
            "not honoured, of the env files: HASURA_PORT (.env:2), MINE (.env:3), POSTGRES_PASSWORD (.env:4); "
            "secrets belong into .environments/<env>/.env.secrets"
        )
    ]


def test_cs_lines_have_comments_gaps_hyphens_and_underscores(tmp_path: Path) -> None:
    project = made(tmp_path, "CS_2=order-api:express-js:8001 # orders\nCS_9=ml_inference:fastapi\n")
    services = [s for s in project.services.values() if isinstance(s, CustomService)]
    assert services == [
        CustomService("order-api", "express-js", 8001),
        CustomService("ml-inference", "fastapi-py", 8009),
    ]


def test_cs_variables_stand_above_the_line(tmp_path: Path) -> None:
    text = (
        "CS_1=api:fastapi-py:8001:v1\nCS_1_PORT=9000\nCS_1_ROUTE=v2\nCS_1_MEMORY=512M\nCS_1_CPU=0.5\nCS_1_REPLICAS=2\n"
        "CS_1_PUBLIC=false\nCS_1_WEBSOCKET=true\nCS_1_TABLE_PREFIX=app_\nCS_1_NEEDS=postgres,redis\nCS_1_PROD_ROUTE=v3\n"
    )
    wanted = CustomService(
        "api",
        "fastapi-py",
        9000,
        route="v2",
        memory="512m",
        cpus=0.5,
        replicas=2,
        public=False,
        websocket=True,
        needs=("postgres", "redis"),
        environment={"TABLE_PREFIX": "app_"},
    )
    assert custom(tmp_path, text) == wanted
    assert custom(tmp_path, text, "prod") == wanted.replace(route="v3")


def test_a_custom_service_may_be_declared_without_the_line(tmp_path: Path) -> None:
    service = custom(tmp_path, "PROJECT_NAME=a\nCS_1_NAME=api\nCS_1_TEMPLATE=fastapi-py\n")
    assert service == CustomService("api", "fastapi-py", 8001)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("CS_1=", "CS_1: is empty"),
        ("CS_1=api", "CS_1: has 1 field and needs at least 2"),
        ("CS_1=api:fastapi-pyy:8001", "there is no template 'fastapi-pyy'; did you mean 'fastapi-py'?"),
        ("CS_01=api:fastapi-py:8001", "'01' is not a number"),
        ("CS_0=api:fastapi-py:8001", "'0' is not a number"),
        ("CS_x=api:fastapi-py:8001", "'x' is not a number"),
        ("CS_1=postgres:fastapi-py:8001", "name"),
        ("CS_1=" + "a" * 64 + ":fastapi-py:8001", "at most 63"),
        ("CS_1=api:fastapi-py:0", "greater than or equal to 1"),
        ("CS_1=api:fastapi-py:65536", "less than or equal to 65535"),
        ("CS_1=api:fastapi-py:80a", "'80a' is not a port"),
        ("CS_1=api:fastapi-py:٨٠٠١", "is not a port"),
        ("CS_1=api:fastapi-py:-1", "'-1' is not a port"),
        ("CS_1=api:fastapi-py:1e3", "'1e3' is not a port"),
    ],
)
def test_i01_to_i11_a_bad_line_is_named_with_its_place(tmp_path: Path, line: str, problem: str) -> None:
    found = problems_of(tmp_path, f"PROJECT_NAME=a\n{line}\n")
    assert len(found) == 1
    assert found[0].startswith(".env:2: CS_")
    assert problem in found[0]


def test_i07_two_services_of_one_name_and_all_problems_at_once(tmp_path: Path) -> None:
    found = problems_of(tmp_path, "CS_1=api:fastapi-py:1\nCS_2=api:fastapi-py:2\nCS_3=x\nREDIS_ENABLED=perhaps\n")
    assert sorted(problem.partition(": ")[0] for problem in found) == [".env:2", ".env:3", ".env:4"]


def test_a_folder_that_declares_nothing_is_no_project(tmp_path: Path) -> None:
    assert "has no stack.py" in problems_of(tmp_path, "FOO=1\n")[0]


def test_internal_routes_lead_to_services(tmp_path: Path) -> None:
    text = "PROJECT_NAME=a\nINTERNAL_ROUTE_1_SUBDOMAIN=api2\nINTERNAL_ROUTE_1_TARGET=hasura:8080\n"
    routes = made(tmp_path, text).routes
    assert [(route.name, route.service, route.port) for route in routes] == [("api2", "hasura", 8080)]
