"""The rules: what Compose lets pass and Docker then does wrong. All problems come at once."""

from __future__ import annotations

import pytest

from nself_sdk import Auth, ComposeFile, CustomService, DeclarationError, Environment, Hasura, Project, Redis, render
from nself_sdk.checks import RULES, check, problems
from nself_sdk.compose import Build, Config, DependsOn, Port, Secret, Service, ServiceConfig, Volume

# Without what prod wants of a whole stack: those rules have tests of their own.
LENIENT = {"monitoring_required": False, "real_mail_required": False}
DEV, PROD = Environment.named("dev"), Environment.named("prod", **LENIENT)
REMOTE = PROD.replace(remote=True)


def service(**fields: object) -> Service:
    return Service(**{"image": "a:1", **fields})  # type: ignore[arg-type] # of the test's choice


def found(environment: Environment = PROD, /, **sections: object) -> list[str]:
    file = ComposeFile(**sections)  # type: ignore[arg-type] # of the test's choice
    return [str(problem) for problem in problems(file, environment)]


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_catalog_has_no_problems(environment: str) -> None:
    project = Project("shop").add(Hasura()).add(Auth()).add(Redis()).add(CustomService("api2", "fastapi-py", 8001))
    place = Environment.named(environment, **LENIENT)
    assert problems(render(project, place), place) == ()


def test_all_problems_come_at_once_in_a_stable_order() -> None:
    file = ComposeFile(
        services={
            "web": service(image="a:latest", depends_on=["databse"], secrets=["KEY"], ports=["80:80"]),
            "nginx": service(ports=["80:80"]),
            "database": service(volumes=["data:/data"]),
        }
    )
    found = [problem.where for problem in problems(file, PROD)]
    assert found == [
        "services.database.volumes",
        "services.nginx.ports",
        "services.web.depends_on",
        "services.web.image",
        "services.web.secrets",
    ]
    with pytest.raises(DeclarationError) as caught:
        check(file, PROD)
    assert caught.value.problems == problems(file, PROD)


def test_an_unknown_dependency_says_what_was_meant() -> None:
    assert found(services={"web": service(depends_on=["postgress"]), "postgres": service()}) == [
        "services.web.depends_on: there is no service 'postgress'; did you mean 'postgres'?"
    ]


def test_a_dependency_that_may_be_missing_may_be_missing() -> None:
    optional = {"cache": DependsOn(condition="service_started", required=False)}
    assert found(services={"web": service(depends_on=optional)}) == []


def test_a_cycle_is_shown_whole() -> None:
    edges = {"a": ["b"], "b": ["c"], "c": ["a"]}
    [line] = found(services={name: service(depends_on=on) for name, on in edges.items()})
    assert "a -> b -> c -> a" in line or "b -> c -> a -> b" in line or "c -> a -> b -> c" in line


def test_a_service_cannot_wait_for_itself() -> None:
    [line] = found(services={"a": service(depends_on=["a"])})
    assert "a -> a" in line


@pytest.mark.parametrize("section", ["secrets", "configs"])
def test_what_a_service_uses_is_defined(section: str) -> None:
    assert found(services={"web": service(**{section: ["x"]})}) == [
        f"services.web.{section}: 'x' is not defined; define it under the top-level {section}"
    ]


def test_a_volume_that_a_service_uses_is_defined() -> None:
    assert len(found(services={"web": service(volumes=["data:/data"])})) == 1
    assert found(services={"web": service(volumes=["data:/data"])}, volumes={"data": Volume()}) == []
    assert found(services={"web": service(volumes=["${DATA}:/data", "/srv:/srv", "/anonymous"])}) == []


@pytest.mark.parametrize("image", ["redis 7", "Redis:7", "redis:", "-redis", "https://ghcr.io/a/b", "redis:7;id"])
def test_what_is_no_images_name_is_refused(image: str) -> None:
    wanted = f"services.web.image: {image!r} is not an image's name; write it like postgres:16.4-alpine or"
    assert [line.rpartition(" ghcr.io")[0] for line in found(services={"web": service(image=image)})] == [wanted]


@pytest.mark.parametrize("image", ["localhost:5000/a/b_c:1", "ghcr.io/a/b.c:RELEASE.1@sha256:" + "0" * 64, "${IMAGE}"])
def test_what_is_an_images_name_is_none(image: str) -> None:
    assert found(services={"web": service(image=image)}) == []


def test_a_service_has_an_image_or_something_to_build_one_from() -> None:
    assert found(services={"web": service(image=None)}) == [
        "services.web: has no image, and nothing to build one from; give it one of them"
    ]
    assert found(services={"web": service(image=None, build=Build(context="."))}) == []


@pytest.mark.parametrize("image", ["postgres", "postgres:latest", "registry:5000/app", "ghcr.io/a/b:latest"])
def test_a_moving_tag_is_refused_outside_dev(image: str) -> None:
    [line] = found(services={"web": service(image=image)})
    assert line.startswith(f"services.web.image: {image!r} is not pinned")
    assert found(DEV, services={"web": service(image=image)}) == []


@pytest.mark.parametrize("image", ["postgres:16.4", "registry:5000/app:1", "app@sha256:" + "0" * 64, "app:${TAG}"])
def test_a_pinned_image_is_not(image: str) -> None:
    assert found(services={"web": service(image=image)}) == []


def test_an_image_that_is_built_needs_no_version() -> None:
    assert found(services={"web": service(image="shop-web", build=Build(context="."))}) == []


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("80:80", "80:8080", True),
        ("127.0.0.1:80:80", "80:80", True),
        ("0.0.0.0:80:80", "127.0.0.1:80:80", True),
        ("8000-8002:80-82", "8001:90", True),
        ("80:80", "80:80/udp", False),
        ("127.0.0.1:80:80", "127.0.0.2:80:80", False),
        ("80", "80", False),
    ],
)
def test_a_host_port_has_one_owner(one: str, other: str, clash: bool) -> None:
    lines = found(DEV, services={"a": service(ports=[one]), "b": service(ports=[other])})
    assert [line.split(":")[0] for line in lines] == (["services.b.ports"] if clash else [])


def test_one_service_cannot_publish_a_port_twice() -> None:
    assert found(services={"a": service(ports=[Port(80, target=80), Port(80, target=81)])}) == [
        "services.a.ports: host port 80 is also published by 'a'; give one of them another port"
    ]


@pytest.mark.parametrize("domain", ["localhost", "shop.localhost"])
def test_production_is_not_on_localhost(domain: str) -> None:
    lines = found(PROD.replace(domain=domain))
    assert lines == [
        f"environment.domain: {domain!r} names this machine only; set BASE_DOMAIN in .environments/prod/.env"
    ]
    assert found(DEV.replace(domain=domain)) == []


def test_files_of_this_machine_do_not_travel_to_a_remote_engine() -> None:
    sections = {
        "services": {"web": service(volumes=["./code:/code", "~/x:/x", "/srv:/srv"])},
        "configs": {"c": Config(file="./c")},
        "secrets": {"s": Secret(file="./s")},
    }
    assert [line.split(":")[0] for line in found(REMOTE, **sections)] == [
        "configs.c",
        "secrets.s",
        "services.web.volumes",
        "services.web.volumes",
    ]
    assert found(PROD, **sections) == []


def test_a_read_only_service_receives_no_copied_texts() -> None:
    sections = {
        "services": {"web": service(read_only=True, configs=[ServiceConfig(source="c")], secrets=["s", "f"])},
        "configs": {"c": Config(content="x")},
        "secrets": {"s": Secret(environment="S"), "f": Secret(file="/f")},
    }
    [line] = found(**sections)
    assert line.startswith("services.web.read_only: a read_only service cannot receive 'c', 's'; mount a tmpfs")


def test_an_empty_text_writes_no_file() -> None:
    [line] = found(configs={"c": Config(content="")})
    assert line.startswith("configs.c: its content is empty")


def test_an_empty_file_has_no_problem() -> None:
    assert found() == []


def test_every_rule_says_what_it_holds() -> None:
    assert all(rule.__doc__ for rule in RULES)


@pytest.mark.parametrize("name", ["", "A B", "A=B", "A\nB", "A\tB"])
def test_i36_a_variable_of_a_container_has_a_name(name: str) -> None:
    with pytest.raises(DeclarationError, match="environment"):
        Redis(environment={name: "x"})
