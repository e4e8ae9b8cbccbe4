"""The demo project of the system before us, as its ``init --demo`` writes it: whole here, and nothing is changed."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from nself_sdk import ComposeFile, CustomService, Project, render
from nself_sdk.checks import RULES, problems
from nself_sdk.errors import DeclarationError
from nself_sdk.store import ProjectFolder, export
from nself_sdk.store.folder import NotHonouredWarning

TABLE = Path(__file__).with_name("nself_demo.txt")
ENVIRONMENTS = ("dev", "staging", "prod")
CORE = {"postgres", "hasura", "auth", "nginx"}
OPTIONAL = {"nself-admin", "minio", "redis", "functions", "mlflow", "mailpit", "meilisearch"}
MONITORING = {
    *("prometheus", "grafana", "loki", "promtail", "tempo", "alertmanager", "cadvisor"),
    *("node-exporter", "postgres-exporter", "redis-exporter"),
}
TEMPLATES = {
    "express-api": "express-js",
    "bullmq-worker": "bullmq-js",
    "go-grpc": "grpc",
    "python-api": "fastapi-py",
}
#: What it leaves out of prod itself.
NOT_IN_PROD = {"nself-admin", "mailpit"}
#: The file that stands above the others there, and below them here.
LOCAL = "ENV=dev\nPROJECT_NAME=demo-app\nBASE_DOMAIN=localhost\n"
#: A value that is a secret has another place (docs/environments.md), and these are of programs' own tuning.
SECRETS = {
    *("AUTH_JWT_SECRET", "GRAFANA_ADMIN_PASSWORD", "HASURA_GRAPHQL_ADMIN_SECRET", "HASURA_JWT_KEY"),
    *("MEILISEARCH_MASTER_KEY", "MINIO_ROOT_PASSWORD", "POSTGRES_PASSWORD", "REDIS_PASSWORD"),
}
NOT_HONOURED = {
    "dev": {"SEED_DATA"},
    "staging": {"SSL_CERT_NAME"},
    "prod": {
        *("SSL_CERT_NAME", "MINIO_ENDPOINT", "POSTGRES_SHARED_BUFFERS", "REDIS_MAXCLIENTS"),
        *("NGINX_RATE_LIMIT", "NGINX_WORKER_CONNECTIONS", "NGINX_WORKER_PROCESSES"),
    },
}


def written(folder: Path, *, given: bool = True) -> ProjectFolder:
    """The demo's files in that folder, and what its staging and prod mean and leave to their operator."""
    texts = dict.fromkeys(ENVIRONMENTS, "")
    for row in TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        name, *values = row.split()
        for env, value in zip(ENVIRONMENTS, values * 3 if len(values) == 1 else values, strict=False):
            texts[env] += f"{name}={value}\n" if value != "-" else ""
    for env, text in texts.items():
        (folder / f".env.{env}").write_text(text, encoding="utf-8")
    (folder / ".env").write_text(LOCAL, encoding="utf-8")
    for env in ("staging", "prod") if given else ():
        (folder / ".environments" / env).mkdir(parents=True)
        (folder / ".environments" / env / ".env").write_text(f"{env.upper()}_MINIO_USER=minio\n", encoding="utf-8")
    return ProjectFolder(folder)


def opened(folder: ProjectFolder, env: str) -> tuple[Project, str]:
    """The project, and what was said of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NotHonouredWarning)
        project = folder.project(folder.environment(env))
    return project, "\n".join(str(each.message) for each in caught)


def rendered(folder: ProjectFolder, env: str) -> ComposeFile:
    return render(opened(folder, env)[0], folder.environment(env))


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_its_demo_renders_whole(tmp_path: Path, env: str) -> None:
    folder = written(tmp_path)
    project, _ = opened(folder, env)
    file = render(project, folder.environment(env))
    left_out = NOT_IN_PROD if env == "prod" else set[str]()
    assert (CORE | OPTIONAL | MONITORING | set(TEMPLATES)) - left_out - set(file.services) == set()
    own = [each for each in project.services.values() if isinstance(each, CustomService)]
    assert {each.name: each.template for each in own} == TEMPLATES
    assert problems(file, folder.environment(env), RULES) == ()


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_its_warning_names_what_is_not_honoured_and_nothing_else(tmp_path: Path, env: str) -> None:
    _, said = opened(written(tmp_path), env)
    named = {name for name in said.replace(",", " ").split() if name.isupper()}
    assert named == NOT_HONOURED[env] | SECRETS


def test_what_its_files_mean_and_do_not_set_is_told_at_its_line(tmp_path: Path) -> None:
    folder = written(tmp_path, given=False)
    assert rendered(folder, "dev").services.keys() >= set(TEMPLATES)
    for env in ("staging", "prod"):
        with pytest.raises(DeclarationError, match=rf"MINIO_ROOT_USER: stands for {env.upper()}_MINIO_USER, which is"):
            opened(folder, env)


def test_its_services_are_routed_and_its_worker_is_not(tmp_path: Path) -> None:
    folder = written(tmp_path)
    for env, names in {
        "dev": ("express-api", "grpc-api", "ml-api", "app1", "app2"),
        "staging": ("express-api", "grpc-api", "ml-api", "app1", "app2"),
        "prod": ("api.v1", "rpc", "ml"),
    }.items():
        place = folder.environment(env)
        context = opened(folder, env)[0].context(place)
        own = {place.host(r.name): r for r in context.routes if r.service in {*TEMPLATES, "app1", "app2"}}
        assert set(own) == {f"{name}.{place.domain}" for name in names}
        assert [route.service for route in own.values() if route.grpc] == ["go-grpc"]
        assert "bullmq-worker" not in {route.service for route in context.routes}


def test_its_replicas_limits_and_queue_are_there(tmp_path: Path) -> None:
    folder = written(tmp_path)
    services = rendered(folder, "prod").services
    found = {}
    for name in TEMPLATES:
        deploy = services[name].deploy
        assert deploy is not None
        assert deploy.resources is not None
        assert deploy.resources.limits is not None
        found[name] = (deploy.replicas, deploy.resources.limits.memory, deploy.resources.limits.cpus)
    assert found == {
        "express-api": (3, "1g", 1.0),
        "bullmq-worker": (3, "512m", 0.5),
        "go-grpc": (2, "512m", 1.0),
        "python-api": (2, "1g", 1.0),
    }
    worker = rendered(folder, "dev").services["bullmq-worker"]
    assert worker.environment_map["QUEUE_NAME"] == "demo-jobs"
    assert {each.source for each in worker.secret_references} == {"REDIS_PASSWORD"}


@pytest.mark.slow
def test_it_renders_the_same_bytes_as_python(tmp_path: Path) -> None:
    (tmp_path / "nself").mkdir()
    folder = written(tmp_path / "nself")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotHonouredWarning)
        export.write(folder, tmp_path / "python")
    python = ProjectFolder(tmp_path / "python")
    assert (tmp_path / "python" / "stack.py").exists()
    for env in ENVIRONMENTS:
        assert rendered(python, env).to_yaml() == rendered(folder, env).to_yaml()


def test_code_is_reloaded_where_it_says_so_and_never_in_prod(tmp_path: Path) -> None:
    folder = written(tmp_path)
    assert [folder.environment(env).hot_reload for env in ENVIRONMENTS] == [True, False, False]
    (tmp_path / ".env.prod").write_text("PROJECT_NAME=a\nENABLE_HOT_RELOAD=true\n", encoding="utf-8")
    with pytest.raises(DeclarationError, match="ENABLE_HOT_RELOAD: it is switched off in prod"):
        folder.secrets(opened(folder, "prod")[0].context(folder.environment("prod")))
