"""A project made of env files, with the variables of the old system."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from nself_sdk import (
    Alertmanager,
    Auth,
    CustomService,
    FrontendApp,
    Grafana,
    Hasura,
    Loki,
    Mailpit,
    Meilisearch,
    Minio,
    Postgres,
    Project,
    Prometheus,
    Redis,
    Smtp,
    Tempo,
    Typesense,
    render,
)
from nself_sdk.errors import DeclarationError
from nself_sdk.store import ProjectFolder, envfiles
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


def test_a_secret_that_nothing_here_has_is_named_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PROJECT_NAME=a\nCS_1=api2:fastapi-py:8001\nCS_1_NEEDS=postgres\n")
    # MinIO is not there, and may be again; the others are the old system's words.
    known = "POSTGRES_PASSWORD=x\nMINIO_ROOT_PASSWORD=x\nAPI2_DB_PASSWORD=x\nFINGERPRINT_KEY=x\nTLS_PRIVATE_KEY=x\n"
    text = f"{known}JWT_SECRET=hunter2\nCOOKIE_SECRET=hunter2\n"
    envfiles.write_private(tmp_path / ".environments/staging/.env.secrets", text)
    folder = ProjectFolder(tmp_path)
    with pytest.warns(NotHonouredWarning) as caught:
        folder.project(folder.environment("staging"))
    [message] = [str(warning.message) for warning in caught]
    place = ".environments/staging/.env.secrets"
    assert message == f"not honoured, of the env files: COOKIE_SECRET ({place}:7), JWT_SECRET ({place}:6)"


def test_cs_lines_have_comments_gaps_hyphens_and_underscores(tmp_path: Path) -> None:
    project = made(tmp_path, "CS_2=order-api:express-js:8001 # orders\nCS_9=ml_inference:fastapi\n")
    services = [s for s in project.services.values() if isinstance(s, CustomService)]
    assert services == [
        CustomService("order-api", "express-js", 8001),
        CustomService("ml-inference", "fastapi-py", 8009, folder="ml_inference"),
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


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("CS_1=api::", ".env:2: CS_1: has no template; write CS_1_TEMPLATE"),
        ("FRONTEND_APP_2_PORT=3000", ".env:2: FRONTEND_APP_2_PORT: has no name; write FRONTEND_APP_2_NAME"),
        ("REMOTE_SCHEMA_1_NAME=app1", ".env:2: REMOTE_SCHEMA_1_NAME: has no domain; write REMOTE_SCHEMA_1_DOMAIN"),
        ("INTERNAL_ROUTE_3_TARGET=hasura:8080", "has no name; write INTERNAL_ROUTE_3_SUBDOMAIN"),
    ],
)
def test_what_a_number_lacks_is_named_with_the_variable_that_says_it(tmp_path: Path, line: str, problem: str) -> None:
    [found] = problems_of(tmp_path, f"PROJECT_NAME=a\n{line}\n")
    assert problem in found


def test_a_frontend_without_a_port_has_that_of_its_number_as_before(tmp_path: Path) -> None:
    project = made(tmp_path, "PROJECT_NAME=a\nFRONTEND_APP_1_NAME=web\nFRONTEND_APP_2_NAME=admin\n")
    assert project.services["web"] == FrontendApp("web", port=3000)
    assert project.services["admin"] == FrontendApp("admin", port=3001)


def test_i07_two_services_of_one_name_and_all_problems_at_once(tmp_path: Path) -> None:
    found = problems_of(tmp_path, "CS_1=api:fastapi-py:1\nCS_2=api:fastapi-py:2\nCS_3=x\nREDIS_ENABLED=perhaps\n")
    assert sorted(problem.partition(": ")[0] for problem in found) == [".env:2", ".env:3", ".env:4"]


def test_what_is_wrong_with_the_place_and_with_the_project_comes_at_once(tmp_path: Path) -> None:
    found = problems_of(tmp_path, "PROJECT_NAME=a\nTLS=maybe\nCS_1=\nLOG_LEVEL=loud\n")
    assert sorted(problem.partition(": ")[0] for problem in found) == [".env:2", ".env:3", ".env:4"]


@pytest.mark.parametrize(
    "line",
    [
        "GRAFANA_ROUTE=a_b",
        "HASURA_ROUTE=/v1",
        "CS_1_ROUTE=a b",
        "FRONTEND_APP_1_ROUTE=-x",
        "STORAGE_CONSOLE_ROUTE=a..b",
    ],
)
def test_a_route_that_is_no_host_name_is_named_with_its_place(tmp_path: Path, line: str) -> None:
    more = "MINIO_ENABLED=true\nMONITORING_ENABLED=true\nCS_1=api:fastapi-py:8001\nFRONTEND_APP_1_NAME=web\n"
    found = problems_of(tmp_path, f"PROJECT_NAME=a\n{line}\n{more}")
    assert [problem.partition("; ")[0].partition(": ")[0] for problem in found] == [".env:2"]
    assert line.partition("=")[0] in found[0]


def test_a_folder_that_declares_nothing_is_no_project(tmp_path: Path) -> None:
    assert "has no stack.py" in problems_of(tmp_path, "FOO=1\n")[0]


def test_internal_routes_lead_to_services(tmp_path: Path) -> None:
    text = "PROJECT_NAME=a\nINTERNAL_ROUTE_1_SUBDOMAIN=api2\nINTERNAL_ROUTE_1_TARGET=hasura:8080\n"
    routes = made(tmp_path, text).routes
    assert [(route.name, route.service, route.port) for route in routes] == [("api2", "hasura", 8080)]


def test_what_is_said_of_a_service_counts_also_where_another_brings_it(tmp_path: Path) -> None:
    text = (
        "PROJECT_NAME=a\nMONITORING_ENABLED=true\nPROMETHEUS_RETENTION_TIME=30d\nGRAFANA_ADMIN_USER=ada\nLOKI_RATE=8\n"
        "ALERTMANAGER_SLACK=#alerts\nTEMPO_RETENTION=24h\nCS_1=api:fastapi-py:8001\nCS_1_NEEDS=redis\nREDIS_MEMORY=1G\n"
    )
    services = made(tmp_path, text).services
    assert services["prometheus"] == Prometheus(retention="30d")
    assert services["grafana"] == Grafana(user="ada")
    assert services["loki"] == Loki(rate=8)
    assert services["alertmanager"] == Alertmanager(slack="#alerts")
    assert services["tempo"] == Tempo(retention="24h")
    assert services["redis"] == Redis(memory="1g")


def test_of_monitoring_a_part_can_be_switched_off(tmp_path: Path) -> None:
    text = "PROJECT_NAME=a\nMONITORING_ENABLED=true\nREDIS_EXPORTER_ENABLED=false\nCADVISOR_ENABLED=false\n"
    project = made(tmp_path, text)
    services = render(project, ProjectFolder(tmp_path).environment("prod")).services
    assert set(TEN) - set(services) == {"redis-exporter", "cadvisor"}
    assert problems_of(tmp_path, "PROJECT_NAME=a\nMONITORING_ENABLED=true\nLOKI_ENABLED=false\n")[-1] == (
        ".env:3: LOKI_ENABLED: promtail needs Loki; set it to true, or leave promtail out"
    )


def test_a_services_own_word_stands_above_an_older_one(tmp_path: Path) -> None:
    text = (
        "PROJECT_NAME=a\nPOSTGRES_VERSION=16-alpine\nPOSTGRES_IMAGE=pgvector/pgvector:pg16\nSMTP_HOST=one.org\n"
        "AUTH_SMTP_HOST=two.org\nEMAIL_FROM=a@a.org\n"
    )
    services = made(tmp_path, text).services
    assert services["postgres"] == Postgres(image="pgvector/pgvector:pg16")
    assert services["auth"] == Auth(smtp=Smtp(host="two.org", sender="a@a.org"))


def test_the_database_has_the_extensions_and_connections_that_were_asked_for(tmp_path: Path) -> None:
    project = made(tmp_path, "PROJECT_NAME=a\nPOSTGRES_EXTENSIONS=uuid-ossp, pgvector\nPOSTGRES_MAX_CONNECTIONS=200\n")
    file = render(project, "prod")
    script = next(config.content for name, config in file.configs.items() if name.startswith("postgres-setup"))
    for name in ("uuid-ossp", "vector"):
        assert f'CREATE EXTENSION IF NOT EXISTS "{name}" WITH SCHEMA public CASCADE;' in (script or "")
    assert file.services["postgres"].command == ["postgres", "-c", "max_connections=200"]


def test_remote_schemas_run_the_version_of_hasura(tmp_path: Path) -> None:
    text = "PROJECT_NAME=a\nHASURA_VERSION=v2.44.0\nREMOTE_SCHEMA_1_NAME=app1\nREMOTE_SCHEMA_1_DOMAIN=api.app1.com\n"
    services = render(made(tmp_path, text), "prod").services
    assert {services[name].image for name in ("hasura", "app1")} == {"hasura/graphql-engine:v2.44.0"}


def test_a_sign_in_provider_has_its_secret_as_a_secret(tmp_path: Path) -> None:
    text = "PROJECT_NAME=a\nAUTH_PROVIDER_GITHUB_ENABLED=true\nAUTH_PROVIDER_GITHUB_CLIENT_ID=abc\n"
    project = made(tmp_path, text)
    name = "AUTH_PROVIDER_GITHUB_CLIENT_SECRET"
    assert render(project, "prod").services["auth"].environment_map[name] == f"${{{name}}}"
    place = ProjectFolder(tmp_path).environment("prod")
    assert {secret.name: secret.source for secret in project.context(place).secrets}[name] == "given"


def test_a_rate_limit_is_for_one_route_and_each_address(tmp_path: Path) -> None:
    text = "BASE_DOMAIN=a.org\nCS_1=pay:fastapi-py:8001\nCS_1_RATE_LIMIT=100\nRATE_LIMIT_AUTH_RATE=5r/s\n"
    project = made(tmp_path, text)
    file = render(project, ProjectFolder(tmp_path).environment("dev"))
    conf = next(config.content for name, config in file.configs.items() if name.startswith("nginx.conf")) or ""
    zones = {line.split("zone=")[1] for line in conf.splitlines() if "limit_req_zone" in line}
    assert zones == {"pay.a.org:2m rate=100r/m;", "auth.a.org:2m rate=5r/s;"}
    assert conf.count("limit_req zone=") == 2
    assert "limit_req zone=auth.a.org burst=5 nodelay;" in conf
    assert problems_of(tmp_path, text.replace("=100", "=fast"))[0].startswith(".env:3: CS_1_RATE_LIMIT: ")


def test_a_remote_schema_that_hasura_stitches_is_named_and_no_mistake(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PROJECT_NAME=a\nREMOTE_SCHEMA_1_NAME=x\nREMOTE_SCHEMA_1_URL=https://x.org\n")
    with pytest.warns(NotHonouredWarning, match="REMOTE_SCHEMA_1_NAME .*REMOTE_SCHEMA_1_URL"):
        Project.from_env(tmp_path)


def test_a_variable_that_another_is_made_of_is_honoured_with_it(tmp_path: Path) -> None:
    text = "PROJECT_NAME=a\nWHO=b\nPOSTGRES_DB=${WHO}_db\n"
    assert made(tmp_path, text).services["postgres"] == Postgres(database="b_db")
    (tmp_path / ".env").write_text(text.replace("${WHO}", "c"), encoding="utf-8")
    with pytest.warns(NotHonouredWarning, match=r"not honoured, of the env files: WHO \(.env:2\)$"):
        Project.from_env(tmp_path)
