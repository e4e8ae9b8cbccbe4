"""Custom services: what they are given, how they are built, and what they answer for Hasura."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from rig.shell import docker

from nself_sdk import (
    Action,
    CustomService,
    DeclarationError,
    Environment,
    EventTrigger,
    Hasura,
    Project,
    Service,
    render,
)
from nself_sdk.catalog import _hasura_metadata_job as job
from nself_sdk.catalog._hasura_metadata import wanted
from nself_sdk.compose import ComposeFile
from nself_sdk.project import Connection, Context, Secret
from nself_sdk.testing import NselfStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GREET = Action(name="greet", arguments={"name": "String!"}, output={"message": "String!"})
CREATED = EventTrigger(name="order_created", table="orders", on=("insert", "update"))


def service(**fields: Any) -> CustomService:
    return CustomService("order-api", "express-js", 8001, **fields)


def rendered(*services: Service, env: str = "prod") -> ComposeFile:
    project = Project("shop")
    for each in services:
        project.add(each)
    return render(project, env)


def test_it_gets_nothing_that_it_did_not_declare() -> None:
    given = rendered(Hasura(), service()).services["order-api"]
    assert set(given.environment_map) == {"PORT", "LOG_LEVEL"}
    assert given.secrets is None
    assert given.depends_on is None


def test_passwords_come_as_files_and_urls_hold_none() -> None:
    file = rendered(service(needs=["postgres", "redis", "hasura"]))
    given = file.services["order-api"]
    variables = given.environment_map
    assert variables["DATABASE_URL"] == "postgresql://order_api@postgres:5432/shop"
    assert variables["DATABASE_PASSWORD_FILE"] == "/run/secrets/ORDER_API_DB_PASSWORD"
    assert variables["REDIS_URL"] == "redis://redis:6379/0"
    assert variables["HASURA_GRAPHQL_URL"] == "http://hasura:8080/v1/graphql"
    assert not any("${" in (value or "") for value in variables.values())
    assert {each.source for each in given.secret_references} == {
        "HASURA_GRAPHQL_ADMIN_SECRET",
        "ORDER_API_DB_PASSWORD",
        "REDIS_PASSWORD",
    }
    assert set(given.depends_on_map) == {"hasura", "postgres-setup", "redis"}


def test_two_services_have_two_roles() -> None:
    both = rendered(service(needs=["postgres"]), CustomService("mailer", "fastapi-py", 8002, needs=["postgres"]))
    assert "ORDER_API_DB_PASSWORD" not in {each.source for each in both.services["mailer"].secret_references}


class Vault(Service):
    name: str = "vault"

    def connection(self, context: Context, client: Service) -> Connection:
        token = Secret(name=f"{client.name.upper().replace('-', '_')}_TOKEN")
        return Connection(environment={"VAULT_URL": f"http://{self.name}/{context.project}"}, secrets=(token,))

    def part(self, context: Context) -> ComposeFile:
        return ComposeFile.model_validate({"services": {self.name: {"image": f"vault:{len(context.project)}.0"}}})


def test_a_service_of_the_users_own_can_be_needed() -> None:
    file = rendered(service(needs=[Vault]))
    assert file.services["order-api"].environment_map["VAULT_URL"] == "http://vault/shop"
    assert [each.source for each in file.services["order-api"].secret_references] == ["ORDER_API_TOKEN"]


def test_what_cannot_be_needed_is_refused_with_what_was_meant() -> None:
    with pytest.raises(DeclarationError, match="did you mean 'postgres'"):
        service(needs=["postgress"])
    with pytest.raises(DeclarationError, match="'nginx' can be needed"):
        service(needs=["nginx"])


def test_limits_replicas_command_and_health_path() -> None:
    given = rendered(service(memory="1g", cpus=0.5, replicas=3, command=["node", "x.js"], health="/health"))
    deploy = given.services["order-api"].deploy
    assert (deploy.replicas, deploy.resources.limits.memory, deploy.resources.limits.cpus) == (3, "1g", 0.5)
    assert given.services["order-api"].command == ["node", "x.js"]
    assert given.services["order-api"].healthcheck.test == ["CMD", "node", "/srv/healthcheck.js", "/health"]


def test_no_command_is_the_images_own_and_a_text_is_no_list_of_words() -> None:
    assert rendered(service(command=None)).services["order-api"].command is None
    for wrong in ({"command": "node x.js"}, {"needs": None}, {"actions": None}, {"jobs": {"migrate": None}}):
        with pytest.raises(DeclarationError, match=f"CustomService.{next(iter(wrong))}"):
            service(**wrong)


def test_a_template_says_what_its_services_need_and_what_of_them_is_for_the_inside() -> None:
    worker = CustomService("mailer", "bullmq-js", 8002, needs=["postgres"])
    file = rendered(worker)
    variables = file.services["mailer"].environment_map
    assert {"REDIS_URL", "REDIS_PASSWORD_FILE", "DATABASE_URL", "DATABASE_PASSWORD_FILE"} <= set(variables)
    (route,) = worker.routes(Environment.named("prod"))
    assert {"/metrics", "/jobs", "/jobs/"} <= set(route.hidden)


def test_a_grpc_service_is_passed_on_as_such_and_tells_its_health_beside_it() -> None:
    rpc = CustomService("rpc", "grpc", 8003, websocket=True)
    file = rendered(rpc)
    nginx = next(config.content for name, config in file.configs.items() if name.startswith("nginx.conf"))
    assert "grpc_pass grpc://$$target_rpc_8003;" in (nginx or "")
    assert "client_body_timeout 3600s;" in (nginx or "")
    assert "client_max_body_size 0;" in (nginx or "")
    assert "proxy_pass http://$$target" not in (nginx or "")
    assert file.services["nginx"].extensions["x-nself-edge"]["grpc"] == ["rpc"]  # type: ignore[call-overload, index]
    assert [metrics.port for metrics in rpc.metrics(Environment.named("prod"))] == [9464]


def test_what_a_grpc_service_cannot_be_is_refused() -> None:
    with pytest.raises(DeclarationError, match="port 9464 is where the template grpc answers /health"):
        CustomService("rpc", "grpc", 9464)
    with pytest.raises(DeclarationError, match="Hasura calls over HTTP"):
        CustomService("rpc", "grpc", 8003, actions=[GREET])


@pytest.mark.parametrize("hidden", [{"route": None}, {"public": False}])
def test_without_a_route_it_is_for_the_inside(hidden: dict[str, Any]) -> None:
    assert set(rendered(service(**hidden)).services) == {"order-api"}


def test_a_template_may_reload_in_a_stage_of_its_own() -> None:
    built = rendered(CustomService("webhooks", "nestjs", 8002), env="dev").services["webhooks"]
    assert (built.build.target, built.volumes) == ("development", ["./services/webhooks/src:/srv/src:ro"])
    assert rendered(CustomService("webhooks", "nestjs", 8002)).services["webhooks"].build.target is None


class Collector(Vault):
    name: str = "collector"

    def traces(self) -> str:
        return "http://collector:4318"


def test_it_sends_traces_where_somebody_takes_them() -> None:
    with_it = rendered(service(), Collector()).services["order-api"].environment_map
    assert with_it["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"


def test_actions_and_events_bring_hasura_and_a_secret_that_both_know() -> None:
    file = rendered(service(actions=[GREET], events=[CREATED]))
    given = file.services["order-api"]
    assert given.environment_map["WEBHOOK_SECRET_FILE"] == "/run/secrets/ORDER_API_WEBHOOK_SECRET"
    assert file.services["hasura"].environment_map["ORDER_API_WEBHOOK_SECRET"] == "${ORDER_API_WEBHOOK_SECRET}"
    assert given.depends_on_map["hasura-metadata"].condition == "service_completed_successfully"
    assert "HASURA_GRAPHQL_ADMIN_SECRET" not in {each.source for each in given.secret_references}


def test_what_hasura_calls_is_hidden_at_the_edge() -> None:
    (route,) = service(actions=[GREET.replace(path="/internal/greet")]).routes(Environment.named("prod"))
    assert set(route.hidden) == {"/metrics", "/hasura/", "/internal/greet"}


def test_two_services_cannot_answer_one_action() -> None:
    with pytest.raises(DeclarationError, match=r"greet: both .* want to answer it"):
        rendered(service(actions=[GREET]), CustomService("other", "nestjs", 8002, actions=[GREET]))


def test_the_metadata_that_is_wanted() -> None:
    assert wanted(service(actions=[GREET], events=[CREATED]).webhooks()) == {
        "objects": [{"name": "GreetOutput", "fields": [{"name": "message", "type": "String!"}]}],
        "actions": [
            {
                "name": "greet",
                "definition": {
                    "kind": "synchronous",
                    "type": "mutation",
                    "arguments": [{"name": "name", "type": "String!"}],
                    "output_type": "GreetOutput!",
                    "handler": "http://order-api:8001/hasura/actions/greet",
                    "headers": [{"name": "X-Webhook-Secret", "value_from_env": "ORDER_API_WEBHOOK_SECRET"}],
                    "timeout": 30,
                },
                "permissions": [{"role": "user"}],
            }
        ],
        "events": [
            {
                "table": {"schema": "public", "name": "orders"},
                "trigger": {
                    "name": "order_created",
                    "definition": {"enable_manual": False, "insert": {"columns": "*"}, "update": {"columns": "*"}},
                    "webhook": "http://order-api:8001/hasura/events/order_created",
                    "headers": [{"name": "X-Webhook-Secret", "value_from_env": "ORDER_API_WEBHOOK_SECRET"}],
                    "retry_conf": {"num_retries": 10, "interval_sec": 10, "timeout_sec": 30},
                },
            }
        ],
    }


WANTED = wanted(service(actions=[GREET], events=[CREATED]).webhooks())
NOTHING: dict[str, Any] = {"objects": [], "actions": [], "events": []}
THEIRS: dict[str, Any] = {
    "version": 3,
    "sources": [{"name": "default", "kind": "postgres", "tables": [{"table": {"schema": "auth", "name": "users"}}]}],
    "actions": [{"name": "pay", "definition": {"handler": "https://pay.example", "output_type": "Paid!"}}],
    "custom_types": {"objects": [{"name": "Paid", "fields": []}]},
}


def test_the_job_leaves_what_it_did_not_enter() -> None:
    entered = job.merged(THEIRS, WANTED)
    assert [action["name"] for action in entered["actions"]] == ["pay", "greet"]
    assert [each["name"] for each in entered["custom_types"]["objects"]] == ["Paid", "GreetOutput"]
    assert entered["sources"][0]["tables"][0] == THEIRS["sources"][0]["tables"][0]
    assert entered["sources"][0]["tables"][1]["event_triggers"] == [WANTED["events"][0]["trigger"]]


def test_the_job_changes_nothing_the_second_time() -> None:
    entered = job.merged(THEIRS, WANTED)
    assert job.merged(entered, WANTED) == entered


def test_the_job_removes_what_is_not_wanted_any_more() -> None:
    emptied = job.merged(job.merged(THEIRS, WANTED), NOTHING)
    assert emptied["actions"] == THEIRS["actions"]
    assert emptied["custom_types"] == THEIRS["custom_types"]
    assert "event_triggers" not in emptied["sources"][0]["tables"][1]


class Metadata(BaseHTTPRequestHandler):
    """As much of Hasura's metadata API as the job uses."""

    calls: list[dict[str, Any]]
    document: dict[str, Any]
    refuse = False

    def do_POST(self) -> None:
        command = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert (self.path, self.headers["X-Hasura-Admin-Secret"]) == ("/v1/metadata", "hush")
        self.calls.append(command)
        self.send_response(400 if self.refuse and command["type"] == "replace_metadata" else 200)
        self.end_headers()
        answer: dict[str, Any] = {"resource_version": 4, "metadata": self.document}
        if command["type"] == "replace_metadata":
            answer = {"error": "no such table/view exists in source: orders"}
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hasura() -> Iterator[type[Metadata]]:
    handler = type("Handler", (Metadata,), {"calls": [], "document": THEIRS})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    handler.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    yield handler
    server.shutdown()
    server.server_close()


def run(hasura: Any, folder: Path) -> None:
    (folder / "wanted.json").write_text(json.dumps(WANTED))
    (folder / "secret").write_text("hush")
    job.main(str(folder / "wanted.json"), hasura.url, str(folder / "secret"))


def test_the_job_enters_all_in_one_call_and_refuses_to_overtake_another(hasura: Any, tmp_path: Path) -> None:
    run(hasura, tmp_path)
    export, replace = hasura.calls
    assert (export["type"], replace["type"], replace["resource_version"]) == ("export_metadata", "replace_metadata", 4)
    assert replace["args"] == {"allow_inconsistent_metadata": False, "metadata": job.merged(THEIRS, WANTED)}
    hasura.document = replace["args"]["metadata"]
    run(hasura, tmp_path)
    assert [call["type"] for call in hasura.calls[2:]] == ["export_metadata"]


def test_the_job_says_what_hasura_refused(hasura: Any, tmp_path: Path) -> None:
    hasura.refuse = True
    with pytest.raises(SystemExit, match=r"Hasura refused replace_metadata: .*no such table/view exists"):
        run(hasura, tmp_path)


class Orders(Service):
    """A table that is there before Hasura is."""

    name: str = "orders"

    def sql(self) -> str:
        return "CREATE TABLE IF NOT EXISTS public.orders (id int PRIMARY KEY);\nGRANT ALL ON public.orders TO hasura;\n"

    def requires(self) -> tuple[type[Service], ...]:
        return (Hasura,)

    def part(self, context: Context) -> ComposeFile:
        return ComposeFile(name=context.project)


@pytest.mark.docker
def test_hasura_knows_them_and_the_services_answer(rig_images: Callable[..., object]) -> None:
    project = Project("shop").add(service(actions=[GREET], events=[CREATED.replace(table="auth.users")]))
    project.add(
        CustomService("tasks", "fastapi-py", 8002, actions=[GREET.replace(name="task", path="/hasura/actions/greet")])
    )
    named = {each.image for each in render(project, "dev").services.values() if each.build is None and each.image}
    rig_images(*sorted(named | {"node:24.19.0-trixie-slim", "python:3.13.15-slim-trixie"}))
    with NselfStack(project) as stack:
        headers = {"X-Hasura-Admin-Secret": stack.secret("HASURA_GRAPHQL_ADMIN_SECRET")}
        body = {"type": "export_metadata", "version": 2, "args": {}}
        metadata = stack.request("POST", "api", "/v1/metadata", json=body, headers=headers).json()["metadata"]
        urls = [action["definition"]["handler"] for action in metadata["actions"]]
        assert urls == ["http://order-api:8001/hasura/actions/greet", "http://tasks:8002/hasura/actions/greet"]
        assert not re.search(stack.secret("ORDER_API_WEBHOOK_SECRET"), json.dumps(metadata))
        for name, url in zip(("ORDER_API", "TASKS"), urls, strict=True):
            call = f'curl -fsS {url} -H "X-Webhook-Secret: ${name}_WEBHOOK_SECRET" -H "Content-Type: application/json"'
            answer = stack.exec("hasura", ["sh", "-c", f"""{call} -d '{{"input": {{"name": "Ada"}}}}'"""])
            assert json.loads(answer.stdout) == {"message": "Hello, Ada."}
        for route in ("order-api", "tasks"):
            assert stack.request("POST", route, "/hasura/actions/greet", json={}).status == 404
        assert stack.secret("ORDER_API_WEBHOOK_SECRET") not in docker("inspect", stack.container("order-api").id)
