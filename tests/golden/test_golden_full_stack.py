"""The full stack renders to reviewed files in each environment, and to nothing that a reviewer would send back."""

from __future__ import annotations

import re
import runpy
from functools import cache
from pathlib import Path

import pytest
from golden.form import HERE, is_as_kept, left_over, shape

from nself_sdk import ComposeFile, Environment, Project, render, resources
from nself_sdk.checks import problems

ENVIRONMENTS = ("dev", "staging", "prod")
every_environment = pytest.mark.parametrize("env", ENVIRONMENTS)
#: What watches the host may look at it.
WATCHERS = {"cadvisor", "node-exporter", "promtail"}


def project(environment: Environment) -> Project:
    declared: Project = runpy.run_path(str(resources.folder("recipes") / "full_stack.py"))["project"](environment)
    return declared.in_folder(Path("/srv/shop"))


@cache
def rendered(env: str) -> ComposeFile:
    return render(project, Environment.named(env))


@every_environment
def test_the_full_stack_renders_to_its_golden_file(env: str) -> None:
    is_as_kept(HERE / f"full_stack.{env}.yml", *shape(rendered(env)))


@every_environment
def test_the_full_stack_has_no_problems(env: str) -> None:
    assert problems(rendered(env), Environment.named(env)) == ()


def test_environments_differ_in_the_services_that_their_table_names() -> None:
    dev, staging, prod = (set(rendered(env).services) for env in ENVIRONMENTS)
    assert staging - dev == {"web"}  # built files; in dev its own program at the host answers
    assert staging - prod == {"web", "mailpit"}
    assert prod < staging


def test_nginx_alone_is_published_outside_dev_and_in_dev_nothing_beyond_this_machine() -> None:
    published = {env: {n for n, s in rendered(env).services.items() if s.port_mappings} for env in ENVIRONMENTS}
    assert published == {"dev": {"nginx", "postgres", "redis"}, "staging": {"nginx"}, "prod": {"nginx"}}
    assert {p.host_ip for s in rendered("dev").services.values() for p in s.port_mappings} == {"127.0.0.1"}


@every_environment
def test_every_container_is_bounded_in_memory_and_in_what_it_logs(env: str) -> None:
    for name, service in rendered(env).services.items():
        assert service.deploy.resources.limits.memory, name
        assert service.logging.options["max-size"], name


@every_environment
def test_every_container_is_watched_and_starts_again_or_is_a_job(env: str) -> None:
    file = rendered(env)
    awaited = {
        on
        for s in file.services.values()
        for on, how in s.depends_on_map.items()
        if "completed" in (how.condition or "")
    }
    assert awaited == {"postgres-setup", "minio-setup", "hasura-metadata"}
    for name, service in file.services.items():
        assert (name in awaited) is (service.healthcheck is None), name
        assert service.restart == ("no" if name in awaited or env == "dev" else "unless-stopped"), name


@every_environment
def test_nobody_is_privileged_and_only_watchers_see_the_host(env: str) -> None:
    for name, service in rendered(env).services.items():
        assert not service.privileged, name
        assert service.security_opt == ["no-new-privileges:true"], name
        binds = [m for m in service.volume_mounts if m.type == "bind" and (m.source or "").startswith("/")]
        assert all(mount.read_only and "docker.sock" not in (mount.source or "") for mount in binds), name
        assert not binds or name in WATCHERS, name


@every_environment
def test_every_image_is_pinned_or_built_here(env: str) -> None:
    for name, service in rendered(env).services.items():
        assert service.build is not None or re.search(r":\D*\d+[.-]\d+", service.image or ""), name


@every_environment
def test_what_holds_data_has_time_to_stop(env: str) -> None:
    keeping = {n for n, s in rendered(env).services.items() if any(m.type == "volume" for m in s.volume_mounts)}
    hurried = {name for name in keeping if rendered(env).services[name].stop_grace_period is None}
    # Ten seconds, Docker's own, are enough for these: positions, silences, and a file in one transaction.
    assert hurried == {"promtail", "alertmanager", "grafana"}


def test_no_text_is_kept_that_nothing_names() -> None:
    assert left_over() == []
