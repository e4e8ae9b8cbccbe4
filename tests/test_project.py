"""What a user declares: projects, services, routes, and what adding them says."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from nself_sdk import (
    Auth,
    ComposeFile,
    Context,
    CustomService,
    DeclarationError,
    Environment,
    Hasura,
    Nginx,
    Postgres,
    Project,
    Redis,
    Route,
    Secret,
    Service,
    render,
)
from nself_sdk.compose import Service as ComposeService
from nself_sdk.project import name_of

FOREIGN = ComposeFile(services={"web_app": ComposeService(image="example/web:1.2")})
NAMED_POSTGRES = CustomService("postgres", "fastapi-py", 8001, route=None)
PARTS = (Hasura(), Auth(), Redis(), CustomService("payments", "fastapi-py", 8003, needs=["postgres"]))


class Mailbox(Service):
    """A service of the user's own: nothing but this class is needed."""

    name: str = "mailbox"
    greeting: str = "hello"

    def requires(self) -> tuple[type[Service], ...]:
        return (Nginx,)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        return (Route(name="mail", port=8025),)

    def secrets(self) -> tuple[Secret, ...]:
        return (Secret(name="MAILBOX_KEY"),)

    def part(self, context: Context) -> ComposeFile:
        mine = ComposeService(image="example/mailbox:1.0", environment={"DOMAIN": context.environment.domain})
        return ComposeFile(services={self.name: mine})


class NeedsHasura(Service):
    """Needs Postgres only through Hasura."""

    name: str = "reports"

    def requires(self) -> tuple[type[Service], ...]:
        return (Hasura,)


def names(project: Project, environment: str = "dev") -> list[str]:
    return [service.name for service in project.context(Environment.named(environment)).services]


def nginx_text(file: ComposeFile) -> str:
    return next(config.content or "" for name, config in file.configs.items() if name.startswith("nginx.conf"))


def refused(*parts: object) -> str:
    project = Project("shop")
    for part in parts[:-1]:
        project.add(part)  # type: ignore[arg-type] # wrong parts are the point
    with pytest.raises(DeclarationError) as caught:
        project.add(parts[-1])  # type: ignore[arg-type] # same
    return str(caught.value)


def test_add_returns_the_project() -> None:
    project = Project("shop")
    assert project.add(Redis()) is project


def test_hasura_brings_postgres_and_nginx() -> None:
    assert names(Project("shop").add(Hasura())) == ["hasura", "nginx", "postgres"]


def test_a_requirement_that_is_declared_is_not_added_again() -> None:
    project = Project("shop").add(Hasura()).add(Postgres(name="db", memory="4g"))
    assert names(project) == ["db", "hasura", "nginx"]


def test_what_is_required_is_not_written_into_the_declaration() -> None:
    project = Project("shop").add(Hasura())
    render(project, "dev")
    assert list(project.services) == ["hasura"]


def test_adding_a_name_twice_fails_on_that_line() -> None:
    assert refused(Redis(), Redis()).startswith("redis: this name is already in the project")


@pytest.mark.parametrize("parts", list(permutations([Hasura(), NAMED_POSTGRES])))
def test_a_conflicting_requirement_fails_on_that_line_in_either_order(parts: tuple[Service, ...]) -> None:
    message = refused(*parts)
    assert message == (
        "postgres: hasura needs a Postgres of this name, but here it is a CustomService; give it another name"
    )


@pytest.mark.parametrize("parts", list(permutations([NeedsHasura(), NAMED_POSTGRES])))
def test_a_conflict_with_a_requirement_of_a_requirement_fails_on_that_line(parts: tuple[Service, ...]) -> None:
    assert "needs a Postgres of this name" in refused(*parts)


def test_a_refused_part_leaves_the_project_as_it_was() -> None:
    project = Project("shop").add(Hasura())
    with pytest.raises(DeclarationError):
        project.add(CustomService("nginx", "fastapi-py", 8001))
    assert names(project) == ["hasura", "nginx", "postgres"]


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_order_of_add_does_not_change_the_output(environment: str) -> None:
    texts = set()
    for parts in permutations(PARTS):
        project = Project("shop")
        for part in parts:
            project.add(part)
        texts.add(render(project, environment).to_yaml())
    assert len(texts) == 1


def test_the_order_of_adding_files_and_routes_does_not_change_the_output() -> None:
    other = ComposeFile(services={"admin": ComposeService(image="example/admin:1")})
    parts = [
        Nginx(),
        FOREIGN,
        other,
        Route(name="b", service="admin", port=1),
        Route(name="a", service="admin", port=1),
    ]
    texts = set()
    for order in permutations(parts):
        project = Project("shop")
        for part in order:
            project.add(part)
        texts.add(render(project, "prod").to_yaml())
    assert len(texts) == 1


def test_a_class_is_not_a_part() -> None:
    assert "add a value, such as Hasura()" in refused(Hasura)


def test_a_service_of_the_users_own_is_like_any_other() -> None:
    project = Project("shop").add(Mailbox())
    file = render(project, Environment.named("prod", domain="example.org"))
    assert sorted(file.services) == ["mailbox", "nginx"]
    assert file.services["mailbox"].environment_map == {"DOMAIN": "example.org"}
    assert file.services["mailbox"].restart == "unless-stopped"
    assert "server_name mail.example.org;" in nginx_text(file)
    assert [secret.name for secret in project.context(Environment.named("prod")).secrets] == [
        "MAILBOX_KEY",
        "TLS_CERTIFICATE",
        "TLS_PRIVATE_KEY",
    ]


def test_a_service_that_renders_nothing_says_so() -> None:
    with pytest.raises(NotImplementedError, match="NeedsHasura must say what it renders to"):
        render(Project("shop").add(NeedsHasura()), "dev")


def test_a_route_reaches_a_service_of_a_compose_file() -> None:
    project = Project("shop").add(Nginx()).add(FOREIGN).add(Route(name="www", service="web_app", port=8080))
    assert "web_app:8080;" in nginx_text(render(project, "prod"))


def test_a_route_to_nobody_is_a_problem_with_a_suggestion() -> None:
    project = Project("shop").add(Nginx()).add(FOREIGN).add(Route(name="www", service="web_ap", port=8080))
    with pytest.raises(DeclarationError, match=r"route www\.localhost: there is no service 'web_ap'; did you mean"):
        render(project, "dev")


def test_a_route_without_an_edge_is_a_problem() -> None:
    project = Project("shop").add(FOREIGN).add(Route(name="www", service="web_app", port=8080))
    with pytest.raises(DeclarationError, match=r"nothing answers for www\.localhost; add Nginx\(\)"):
        render(project, "dev")


def test_two_services_cannot_answer_for_one_host() -> None:
    project = Project("shop").add(Hasura()).add(CustomService("gateway", "fastapi-py", 8001, route="api"))
    with pytest.raises(DeclarationError, match=r"route api\.localhost: .* both want to answer for it"):
        render(project, "dev")


def test_a_route_of_the_project_says_who_answers() -> None:
    assert refused(Route(name="www", port=80)) == "route www: nobody answers it; say service='...'"


@pytest.mark.parametrize("service", ["web; return 200", "a b", "web\n", "$host", "a/b"])
def test_nothing_can_be_smuggled_into_nginx_through_a_route(service: str) -> None:
    with pytest.raises(DeclarationError, match=r"Route\.service"):
        Route(name="www", service=service, port=80)


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a b", "a..b", "a.b.", "x" * 64, "*", "a;b", "a\n"])
def test_a_routes_name_is_a_host_name(name: str) -> None:
    with pytest.raises(DeclarationError, match=r"Route\.name: a route is a DNS label"):
        Route(name=name, service="web", port=80)


@pytest.mark.parametrize("name", ["", "-a", "a-", "Api", "a_b", "a.b", "../etc", "a/b", "x" * 64, "é", "a\n"])
def test_a_services_name_is_a_dns_label(name: str) -> None:
    with pytest.raises(DeclarationError, match=r"Redis\.name: a service's name is a DNS label"):
        Redis(name=name)


@pytest.mark.parametrize("port", [0, -1, 65536, "80a", "8 001", "1e3", 1.5])
def test_a_port_is_between_1_and_65535(port: object) -> None:
    for make in (
        lambda: Route(name="a", service="b", port=port),
        lambda: CustomService("a", "fastapi-py", port),
        lambda: Postgres(port=port),
        lambda: Redis(port=port),
    ):
        with pytest.raises(DeclarationError, match=r"\.port"):
            make()


@pytest.mark.parametrize("name", ["", "Shop", "-shop", "shop_1", "a b", "../x", "x" * 41])
def test_a_projects_name_is_checked(name: str) -> None:
    with pytest.raises(DeclarationError, match="is not a project name"):
        Project(name)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/srv/shop", "shop"),
        ("/srv/My Shop!", "my-shop"),
        ("/srv/--", "project"),
        ("/", "project"),
        ("/x/" + "a" * 50, "a" * 40),
        ("/x/" + "a" * 39 + "-b", "a" * 39),
    ],
)
def test_a_folder_names_the_project(folder: str, name: str) -> None:
    assert name_of(Path(folder)) == name
    assert Project(name)


def test_an_unknown_keyword_says_what_was_meant() -> None:
    with pytest.raises(DeclarationError) as caught:
        Postgres(memmory="1g", databse="x")  # type: ignore[call-arg] # the mistake is the point
    assert [str(problem) for problem in caught.value.problems] == [
        "Postgres.memmory: unknown key; did you mean 'memory'?",
        "Postgres.databse: unknown key; did you mean 'database'?",
    ]


def test_a_declared_value_cannot_be_changed_in_place() -> None:
    service = Redis()
    with pytest.raises(DeclarationError, match="never changes"):
        service.memory = "1g"  # type: ignore[misc] # the mistake is the point
    assert service.replace(memory="1g").memory == "1g"


@pytest.mark.parametrize("memory", ["", "0", "5 bananas", "1.5g", "-1m", "10t", "1G"])
def test_memory_is_a_size(memory: str) -> None:
    with pytest.raises(DeclarationError, match=r"Redis\.memory"):
        Redis(memory=memory)


def test_with_two_databases_the_one_with_the_usual_name_is_the_projects() -> None:
    project = Project("shop").add(Hasura()).add(Postgres()).add(Postgres(name="analytics", port=None))
    file = render(project, "dev")
    assert "@postgres:5432" in str(file.services["hasura"].environment_map["HASURA_GRAPHQL_DATABASE_URL"])


def test_with_two_databases_and_no_usual_name_the_user_is_asked() -> None:
    project = Project("shop").add(Hasura()).add(Postgres(name="one")).add(Postgres(name="two", port=None))
    with pytest.raises(DeclarationError, match=r"which one do the other services use: one, two\?"):
        render(project, "dev")


def test_a_project_can_be_a_function_of_the_environment() -> None:
    def declare(environment: Environment) -> Project:
        return Project("shop").add(Redis(memory="1g" if environment.profile == "prod" else "64m"))

    memory = [
        render(declare, env).services["redis"].deploy.resources.limits.memory  # type: ignore[union-attr]
        for env in ("dev", "prod")
    ]
    assert memory == ["64m", "1g"]


def test_two_files_that_differ_name_both_owners() -> None:
    project = Project("shop").add(Redis()).add(ComposeFile(services={"redis": ComposeService(image="redis:6")}))
    with pytest.raises(DeclarationError, match=r"services\.redis: declared by 'redis' and differently by"):
        render(project, "dev")


def test_a_project_says_what_is_in_it() -> None:
    assert repr(Project("shop").add(Redis())) == "Project('shop': redis)"


@pytest.mark.parametrize("name", ["auth", "pg-tools", "3d", "docker", "ssh-gateway", "public"])
def test_a_service_with_a_database_role_does_not_take_over_another_role_or_variable(name: str) -> None:
    with pytest.raises(DeclarationError, match="cannot be the name of its database role"):
        CustomService(name, "fastapi-py", 8001, needs=["postgres"])
    assert CustomService(name, "fastapi-py", 8001)


@pytest.mark.parametrize("database", ["my db", "a;b", "Shop", "$x", "a/b", "1a", "x" * 64])
def test_a_databases_name_is_an_identifier(database: str) -> None:
    with pytest.raises(DeclarationError, match=r"Postgres\.database"):
        Postgres(database=database)


@pytest.mark.parametrize("template", ["fastapi", "../recipes", "nope", ""])
def test_an_unknown_template_names_the_known_ones(template: str) -> None:
    with pytest.raises(DeclarationError, match=r"there is no template '.*'; (did you mean|known:).*fastapi-py"):
        CustomService("api", template, 8001)


def test_code_is_mounted_only_where_the_engine_is_on_this_machine() -> None:
    project = Project("shop").add(CustomService("api", "fastapi-py", 8001))
    here, there = (render(project, Environment.named("dev", remote=remote)).services["api"] for remote in (False, True))
    assert [mount.source for mount in here.volume_mounts] == ["./services/api/app"]
    assert there.volume_mounts == []


def test_adding_asks_the_new_service_alone_what_it_requires() -> None:
    asked: list[str] = []

    class Asked(Service):
        def requires(self) -> tuple[type[Service], ...]:
            asked.append(self.name)
            return (Redis,)

    project = Project("shop")
    for number in range(20):
        project.add(Asked(name=f"asked-{number}"))
    assert len(asked) == 20


@pytest.mark.parametrize("declaration", ["shop", None, lambda _: None, lambda _: "shop"])
def test_what_is_no_project_is_told_so(declaration: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^project: ('shop'|None) is none; give a Project, or a function"):
        render(declaration, "dev")
