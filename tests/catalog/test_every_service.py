"""The contract of a catalog service: every class of `nself_sdk.catalog` in every environment, found, not listed."""

from __future__ import annotations

import json
import os
import pkgutil
import re
import subprocess
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import check_jsonschema
import crossplane
import jsonschema
import pytest
import yaml
from golden.form import HERE, is_as_kept, shape

from nself_sdk import (
    ComposeFile,
    CustomService,
    Environment,
    FrontendApp,
    Project,
    RemoteSchema,
    Service,
    catalog,
    render,
)
from nself_sdk.checks import problems
from nself_sdk.deploy.health import jobs
from nself_sdk.offers import RELOAD
from nself_sdk.passes import fingerprint_variable

if TYPE_CHECKING:
    from collections.abc import Callable

    from nself_sdk.compose import Service as ComposeService

ENVIRONMENTS = ("dev", "staging", "prod")


def kinds() -> list[type[Service]]:
    for found in pkgutil.walk_packages(catalog.__path__, "nself_sdk.catalog."):
        import_module(found.name)
    waiting, known = [Service], set[type[Service]]()
    while waiting:
        subclasses = [kind for kind in waiting.pop().__subclasses__() if kind.__module__.startswith(catalog.__name__)]
        known.update(subclasses)
        waiting.extend(subclasses)
    return sorted(known, key=lambda kind: kind.__name__)


# What a class needs that has no defaults for everything.
MADE: dict[type[Service], Callable[[], Service]] = {
    CustomService: lambda: CustomService("payments", "fastapi-py", 8003, needs=["postgres", "redis"]),
    FrontendApp: lambda: FrontendApp("web", route="app", dist="frontend/web/dist"),
    RemoteSchema: lambda: RemoteSchema("app1", domain="api.app1.com"),
}
CASES = [pytest.param(kind, env, id=f"{kind.__name__}-{env}") for kind in kinds() for env in ENVIRONMENTS]
every_service = pytest.mark.parametrize(("kind", "env"), CASES)
#: For what is quick: all environments in one test, and in its message the name of the one.
every_kind = pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)


#: What watches the host sees it, and cannot change it.
WATCHERS = ("cadvisor", "node-exporter", "promtail")


def project_of(kind: type[Service]) -> Project:
    return Project("shop").add(MADE.get(kind, kind)())


@cache
def rendered(kind: type[Service], env: str) -> ComposeFile:
    return render(project_of(kind), env)


def interpolated(file: ComposeFile) -> set[str]:
    """The variables that the file takes from the process that applies it, without a default of their own."""
    return set(re.findall(r"(?<!\$)(?:\$\$)*\$\{?([A-Za-z_]\w*)\}?(?!:-)", re.sub(r"\$\{\w+:-\}", "", file.to_yaml())))


def test_the_catalog_is_found() -> None:
    assert {"Auth", "CustomService", "Hasura", "Nginx", "Postgres", "Redis"} <= {kind.__name__ for kind in kinds()}


@every_kind
def test_file_class_and_key_have_one_name(kind: type[Service]) -> None:
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    assert kind.__module__.rpartition(".")[2] == snake
    default = kind.model_fields["name"].default
    assert kind in MADE or default == snake.replace("_", "-")


@every_service
def test_it_renders_alone_with_what_it_requires_and_without_problems(kind: type[Service], env: str) -> None:
    alone = Environment.named(env, monitoring_required=False, real_mail_required=False)
    assert problems(rendered(kind, env), alone) == ()


@every_service
def test_it_renders_to_the_same_bytes_every_time(kind: type[Service], env: str) -> None:
    text = rendered(kind, env).to_yaml()
    assert render(project_of(kind), env).to_yaml() == text
    assert ComposeFile.loads(text).to_yaml() == text


@every_kind
def test_what_it_renders_to_in_each_environment_was_reviewed(kind: type[Service]) -> None:
    shapes = [shape(own(kind, env)) for env in ENVIRONMENTS]
    heads = [f"# {env}{''.join(f', {answers}' for answers in routes(kind, env))}\n" for env in ENVIRONMENTS]
    text = "---\n".join(head + text for head, (text, _) in zip(heads, shapes, strict=True))
    path = HERE / "services" / f"{kind.__module__.rpartition('.')[2]}.yml"
    is_as_kept(path, text, {name: content for _, texts in shapes for name, content in texts.items()})


def own(kind: type[Service], env: str) -> ComposeFile:
    """What it adds itself, and not what it requires."""
    context, file = project_of(kind).context(Environment.named(env)), rendered(kind, env)
    part = next(service for service in context.services if type(service) is kind).part(context)
    services = {name: service for name, service in file.services.items() if name in part.services}
    configs = {reference.source for service in services.values() for reference in service.config_references}
    return file.replace(
        services=services,
        configs={name: config for name, config in file.configs.items() if name in configs},
        volumes={name: volume for name, volume in file.volumes.items() if name in part.volumes},
        secrets={name: secret for name, secret in file.secrets.items() if name in part.secrets},
    )


def routes(kind: type[Service], env: str) -> list[str]:
    """What the edge serves of it."""
    place = Environment.named(env)
    [service] = [service for service in project_of(kind).context(place).services if type(service) is kind]
    return [f"{place.url(route.name)} -> {route.port}" for route in service.routes(place)]


def containers(kind: type[Service], *environments: str) -> list[tuple[str, str, ComposeService]]:
    """The environment, the name and the whole of each."""
    return [(env, name, s) for env in environments for name, s in rendered(kind, env).services.items()]


@every_kind
def test_its_images_are_pinned_or_built(kind: type[Service]) -> None:
    images = {(env, name): s.image for env, name, s in containers(kind, *ENVIRONMENTS) if s.build is None}
    assert {
        place: i
        for place, i in images.items()
        if not re.search(r":(v|RELEASE\.|\d+-)?\d+[.-]\d+[\w.-]*$|@sha256:", i or "")
    } == {}


@every_kind
def test_each_of_its_containers_has_a_health_check_or_runs_to_its_end(kind: type[Service]) -> None:
    servers = {(e, n): s for e, n, s in containers(kind, *ENVIRONMENTS) if not is_job(n, rendered(kind, e))}
    assert [place for place, service in servers.items() if service.healthcheck is None] == []
    assert all(service.healthcheck.start_interval for service in servers.values() if service.healthcheck)


def is_job(name: str, file: ComposeFile) -> bool:
    return name in jobs(file) or name.endswith("-setup")


@every_kind
def test_each_of_its_containers_has_a_memory_limit(kind: type[Service]) -> None:
    assert [
        (env, name)
        for env, name, s in containers(kind, *ENVIRONMENTS)
        if not (s.deploy and s.deploy.resources and s.deploy.resources.limits)
    ] == []


@every_kind
def test_outside_dev_nothing_is_published_but_nginx(kind: type[Service]) -> None:
    published = [(env, name) for env, name, s in containers(kind, "staging", "prod") if s.port_mappings]
    assert published in ([], [("staging", "nginx"), ("prod", "nginx")])


@every_kind
def test_in_dev_everything_is_published_on_this_machine_only(kind: type[Service]) -> None:
    addresses = {p.host_ip for s in rendered(kind, "dev").services.values() for p in s.port_mappings}
    assert addresses <= {"127.0.0.1"}


@every_kind
def test_outside_dev_it_mounts_no_folder_of_the_host(kind: type[Service]) -> None:
    binds = {
        (env, m.source)
        for env, name, s in containers(kind, "staging", "prod")
        for m in s.volume_mounts
        if m.type == "bind" and not (name in WATCHERS and m.read_only)
    }
    assert binds == set()


@every_service
def test_every_secret_that_is_used_is_offered_and_marked(kind: type[Service], env: str) -> None:
    file, place = rendered(kind, env), Environment.named(env)
    offered = {secret.name for secret in project_of(kind).context(place).secrets}
    referenced = {r.source for s in file.services.values() for r in s.secret_references}
    assert referenced | set(file.secrets) | interpolated(file) <= offered
    for service in file.services.values():
        # What a service reloads in place is no reason to replace it.
        files = [] if RELOAD in service.extensions else service.secret_references
        used = {r.source for r in files} | interpolated(ComposeFile(services={"x": service}))
        marks = {mark for mark in service.label_map.values() if mark}
        assert {f"${{{fingerprint_variable(name)}:-}}" for name in used if name} <= marks


@every_kind
def test_no_value_looks_like_a_secret(kind: type[Service]) -> None:
    for env, name, service in containers(kind, *ENVIRONMENTS):
        for variable, value in service.environment_map.items():
            if re.search(r"PASSWORD|SECRET|TOKEN|(^|_)KEY$|PASS$", variable) and "LENGTH" not in variable:
                assert re.search(r"\$\{|^/run/secrets/", value or ""), f"{env}: {name}: {variable}={value}"


@every_service
def test_it_follows_the_official_schema(kind: type[Service], env: str) -> None:
    errors = [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in schema().iter_errors(tree(rendered(kind, env)))
    ]
    assert errors == []


def tree(file: ComposeFile) -> object:
    """As PyYAML reads what is written of it."""
    return yaml.load(file.to_yaml(), yaml.CSafeLoader)


@cache
def schema() -> jsonschema.protocols.Validator:
    folder = Path(check_jsonschema.__file__).parent / "builtin_schemas"
    document = json.loads(next(folder.rglob("*compose-spec.json")).read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(document)(document)


@every_service
def test_its_nginx_configuration_is_well_formed(kind: type[Service], env: str, tmp_path: Path) -> None:
    for name, config in rendered(kind, env).configs.items():
        if not name.startswith("nginx.conf"):
            continue
        path = tmp_path / "nginx.conf"
        path.write_text((config.content or "").replace("$$", "$"), encoding="utf-8")
        # Files of the image, and folders that a deploy fills, are not here.
        parsed = crossplane.parse(str(path), single=True, check_ctx=True, check_args=True)
        assert parsed["errors"] == []


@pytest.mark.slow
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_docker_compose_reads_everything_without_a_warning(env: str, tmp_path: Path) -> None:
    plugin_or_skip()
    whole = Project("shop")
    # Typesense is the alternative to Meilisearch: both answer for one host name.
    for kind in (kind for kind in kinds() if kind.__name__ != "Typesense"):
        whole.add(MADE.get(kind, kind)())
    file = render(whole, env)
    path = tmp_path / "docker-compose.yml"
    path.write_text(file.to_yaml(), encoding="utf-8")
    names = {secret.name: "x" for secret in whole.context(Environment.named(env)).secrets}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **names}
    done = compose("-f", str(path), "config", "-q", environment=environment)
    assert (done.returncode, done.stderr) == (0, "")


def compose(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "compose", *arguments], capture_output=True, text=True, check=False, env=environment
    )


def plugin_or_skip() -> None:
    try:
        found = compose("version").returncode == 0
    except FileNotFoundError:
        found = False
    if not found:
        in_ci = os.environ.get("CI", "").lower() in {"1", "true"}
        (pytest.fail if in_ci else pytest.skip)("there is no Compose plugin on this machine")
