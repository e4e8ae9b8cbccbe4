"""A project in its two forms: a stack.py and env files render the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from nself_sdk import render
from nself_sdk.errors import DeclarationError
from nself_sdk.store import ProjectFolder, export

STACK = """
from nself_sdk import *
from nself_sdk.project import Route

project = (
    Project("shop")
    .add(Hasura(route="graphql", environment={"HASURA_GRAPHQL_CORS_DOMAIN": "https://$$x"}))
    .add(Auth(smtp=Smtp(host="smtp.a.org", user="u", sender="a b <a@a.org>", secure=True)))
    .add(Postgres(port=None, memory="2g"))
    .add(Minio(buckets=("one", "two")))
    .add(Monitoring())
    .add(CustomService("api", "fastapi-py", 8001, route=None, needs=["postgres"], environment={"A": "1"}))
    .add(CustomService("web-api", "express-js", 8002, replicas=2, cpus=0.5))
    .add(FrontendApp("web", port=3001, route="app"))
    .add(FrontendApp("docs", route="docs"))
    .add(RemoteSchema("app1", domain="api.app1.com"))
    .add(Route(name="api2", service="hasura", port=8080))
)
"""
ENVIRONMENTS = ("dev", "staging", "prod")
RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def shop(tmp_path: Path) -> ProjectFolder:
    path = tmp_path / "shop"
    (path / ".environments" / "prod").mkdir(parents=True)
    (path / "stack.py").write_text(STACK, encoding="utf-8")
    (path / ".env").write_text("BASE_DOMAIN=shop.org\nAPI_KEY=hunter2\n", encoding="utf-8")
    (path / ".environments/prod/.env").write_text("BASE_DOMAIN=shop.com\nLOG_LEVEL=error\n", encoding="utf-8")
    (path / ".environments/prod/server.json").write_text('{"host": "vps"}', encoding="utf-8")
    return ProjectFolder(path)


def rendered(folder: ProjectFolder) -> list[str]:
    places = [folder.environment(name) for name in ENVIRONMENTS]
    return [render(folder.project(place), place).to_yaml() for place in places]


@pytest.mark.slow
def test_the_round_trip_renders_equal_in_every_environment(shop: ProjectFolder, tmp_path: Path) -> None:
    export.write(shop, tmp_path / "env")
    export.write(ProjectFolder(tmp_path / "env"), tmp_path / "python")
    assert not (tmp_path / "env" / "stack.py").exists()
    assert (tmp_path / "python" / "stack.py").exists()
    wanted = rendered(shop)
    assert rendered(ProjectFolder(tmp_path / "env")) == wanted
    assert rendered(ProjectFolder(tmp_path / "python")) == wanted


@pytest.mark.slow
def test_the_full_stack_is_exported_whole(tmp_path: Path) -> None:
    source = tmp_path / "shop"
    source.mkdir()
    (source / "stack.py").write_text((RECIPES / "full_stack.py").read_text(encoding="utf-8"), encoding="utf-8")
    export.write(ProjectFolder(source), tmp_path / "env")
    assert rendered(ProjectFolder(tmp_path / "env")) == rendered(ProjectFolder(source))


HOOKED = """
from nself_sdk import *

project = Project("a").add(CustomService(
    "orders", "fastapi-py", 8001, needs=["postgres"], jobs={"migrate": ["alembic", "upgrade", "head"]},
    actions=[Action(name="greet", arguments={"name": "String!"}, output={"message": "String!"}, timeout=5)],
    events=[EventTrigger(name="made", table="orders", on=("insert", "delete"))],
))
"""


def test_actions_events_and_jobs_are_json_in_variables(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "stack.py").write_text(HOOKED, encoding="utf-8")
    export.write(ProjectFolder(source), tmp_path / "env")
    assert rendered(ProjectFolder(tmp_path / "env")) == rendered(ProjectFolder(source))


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("'[{'", "is not JSON"),
        ("'{}'", "is dict in JSON; write [{...}]"),
        ("'[1]'", "valid dictionary"),
        ("""'[{"name": "greet"}]'""", "Field required"),
        ("""'[{"name": "greet", "outptu": {}}]'""", "did you mean 'output'?"),
    ],
)
def test_json_that_means_nothing_is_named_with_its_line(tmp_path: Path, said: str, problem: str) -> None:
    (tmp_path / ".env").write_text(f"CS_1=api:fastapi-py:8001\nCS_1_ACTIONS={said}\n")
    folder = ProjectFolder(tmp_path)
    with pytest.raises(DeclarationError) as caught:
        folder.project(folder.environment("dev"))
    assert {found.where.rpartition("/")[2] for found in caught.value.problems} == {".env:2: CS_1_ACTIONS"}
    assert any(problem in str(found) for found in caught.value.problems)


@pytest.mark.parametrize(
    ("part", "where"),
    [
        ("Nginx(memory='1g')", "nginx"),
        ("FrontendApp('web', dist='web/dist', fallback='')", "web.fallback"),
        ("Minio(buckets=())", "minio.buckets"),
    ],
)
def test_what_an_empty_text_or_no_variable_says_is_not_dropped_in_silence(
    tmp_path: Path, part: str, where: str
) -> None:
    (tmp_path / "stack.py").write_text(f"from nself_sdk import *\nproject = Project('a').add({part})\n")
    with pytest.raises(DeclarationError) as caught:
        export.write(ProjectFolder(tmp_path), tmp_path / "env")
    assert [problem.where for problem in caught.value.problems] == [where]


def test_what_differs_between_environments_stays_different(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / ".environments/prod").mkdir(parents=True)
    (source / ".env").write_text("PROJECT_NAME=a\nREDIS_ENABLED=true\n")
    (source / ".environments/prod/.env").write_text("REDIS_ENABLED=false\nMINIO_ENABLED=true\n")
    folder = ProjectFolder(source)
    export.write(folder, tmp_path / "python")
    assert 'if env.name == "prod":' in (tmp_path / "python/stack.py").read_text()
    assert rendered(ProjectFolder(tmp_path / "python")) == rendered(folder)
    export.write(ProjectFolder(tmp_path / "python"), tmp_path / "env")
    assert rendered(ProjectFolder(tmp_path / "env")) == rendered(folder)


def test_no_secret_is_exported(shop: ProjectFolder, tmp_path: Path) -> None:
    shop.generate_secrets(shop.project(shop.environment("prod")).context(shop.environment("prod")))
    export.write(shop, tmp_path / "env")
    texts = [path.read_text() for path in (tmp_path / "env").rglob("*") if path.is_file()]
    assert not [text for text in texts if "hunter2" in text]
    assert not list((tmp_path / "env").rglob(".env.secrets"))


def test_nothing_that_exists_is_overwritten(shop: ProjectFolder, tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / ".env").write_text("KEEP=1\n")
    with pytest.raises(DeclarationError, match="is already there"):
        export.write(shop, tmp_path / "env")
    assert (tmp_path / "env" / ".env").read_text() == "KEEP=1\n"


@pytest.mark.parametrize("form", ["env", "python"])
def test_a_function_that_runs_around_deploys_is_not_dropped_in_silence(tmp_path: Path, form: export.Form) -> None:
    source = tmp_path / "hooked"
    source.mkdir()
    stack = "from nself_sdk import *\nproject = Project('a', hooks={'pre-deploy': print}).add(Redis())\n"
    (source / "stack.py").write_text(stack, encoding="utf-8")
    with pytest.raises(DeclarationError, match=r"hooks\.pre-deploy: is a function"):
        export.write(ProjectFolder(source), tmp_path / "out", form)
    assert not (tmp_path / "out").exists()


def test_what_no_variable_says_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "stack.py").write_text(
        "from nself_sdk import *\nproject = Project('a').add(Redis(name='cache')).add(ComposeFile(services={}))\n"
    )
    with pytest.raises(DeclarationError) as caught:
        export.write(ProjectFolder(source), tmp_path / "env")
    assert sorted(problem.where for problem in caught.value.problems) == ["a", "cache.name"]
    assert not (tmp_path / "env").exists()


DEMO = """\
PROJECT_NAME=demo-app
BASE_DOMAIN=local.demo.org
STAGING_DOMAIN=staging.demo.org
PROD_DOMAIN=demo.org
POSTGRES_USER=postgres
POSTGRES_DB=demo_db
POSTGRES_MEMORY=4G
POSTGRES_MAX_CONNECTIONS=200
HASURA_GRAPHQL_UNAUTHORIZED_ROLE=anonymous
HASURA_GRAPHQL_CORS_DOMAIN='https://*.demo.org'
HASURA_ROUTE=api
AUTH_CLIENT_URL=http://localhost:3000
AUTH_EMAIL_VERIFICATION_REQUIRED=false
AUTH_MFA_ENABLED=true
NSELF_ADMIN_ENABLED=true
MINIO_ENABLED=true
MINIO_ROOT_USER=minioadmin
MINIO_DEFAULT_BUCKETS=uploads,public,private,temp,mlflow-artifacts
REDIS_ENABLED=true
REDIS_MEMORY=1G
FUNCTIONS_ENABLED=true
MLFLOW_ENABLED=true
MAILPIT_ENABLED=true
MEILISEARCH_ENABLED=true
MONITORING_ENABLED=true
GRAFANA_ROUTE=metrics
ALERTMANAGER_ROUTE=alerts
PROMETHEUS_RETENTION_TIME=30d
CS_1=express_api:express-js:8001 # order processing
CS_1_ROUTE=express-api
CS_1_REPLICAS=2
CS_1_PROD_ROUTE=api.v1
CS_1_RATE_LIMIT=100
CS_2=worker:bullmq-js:8002
CS_2_PUBLIC=false
CS_2_QUEUE_NAME=demo-jobs
CS_2_NEEDS=postgres
CS_3=stream:grpc:8003
CS_3_WEBSOCKET=true
CS_3_ENV=A=1,B=$x
CS_4=python_api:fastapi:8004
CS_4_ROUTE=ml-api
CS_4_HEALTHCHECK=/health
CS_4_MEMORY=1G
CS_4_CPU=0.5
FRONTEND_APP_1_NAME=app1
FRONTEND_APP_1_PORT=3000
FRONTEND_APP_1_ROUTE=app1
FRONTEND_APP_2_NAME=app2
FRONTEND_APP_2_PORT=3001
FRONTEND_APP_2_DIST=frontend/app2/dist
REMOTE_SCHEMA_1_NAME=shop1
REMOTE_SCHEMA_1_DOMAIN=api.shop1.com
INTERNAL_ROUTE_1_SUBDOMAIN=live
INTERNAL_ROUTE_1_TARGET=express-api:8001
INTERNAL_ROUTE_1_WEBSOCKET=true
DEBUG=false
"""


@pytest.mark.slow
def test_a_demo_with_everything_renders_the_same_bytes_in_all_its_forms(tmp_path: Path) -> None:
    source = tmp_path / "nself"
    (source / ".environments" / "prod").mkdir(parents=True)
    (source / ".env").write_text(DEMO, encoding="utf-8")
    prod = "NSELF_ADMIN_ENABLED=false\nMAILPIT_ENABLED=false\nAUTH_SMTP_HOST=smtp.demo.org\nLOG_LEVEL=warn\n"
    (source / ".environments/prod/.env").write_text(prod, encoding="utf-8")
    wanted = rendered(ProjectFolder(source))
    lines = [set(text.splitlines()) for text in wanted]
    assert all({"  prometheus:", "  shop1:", "  express-api:"} <= found for found in lines)
    assert ["  mailpit:" in found for found in lines] == [True, True, False]
    forms = {"python": source, "env": tmp_path / "python", "again": tmp_path / "env"}
    for target, from_ in forms.items():
        export.write(ProjectFolder(from_), tmp_path / target)
        assert rendered(ProjectFolder(tmp_path / target)) == wanted
    assert (tmp_path / "python" / "stack.py").exists()
    assert not (tmp_path / "env" / "stack.py").exists()
