"""What services offer each other: routes, metrics, secrets, connections. Values only."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from nself_sdk.compose import DependsOn
from nself_sdk.environment import is_dns_label
from nself_sdk.model import Model

#: An extension of a service in the rendered file, for deploys: it reloads its configs and secrets in place.
#: ``{"test": shell command on the new files, named <path>.next, "command": shell command that reloads}``; with
#: ``"anew": true`` it is told them again when its container is new, because its volume may know what was before.
RELOAD = "x-nself-reload"
#: The same: ``true`` on a job that only goes forward, such as a migration: a way back runs none of an older release.
ONCE = "x-nself-once"
#: The same: it is the edge. ``{"folder": where it reads targets, "targets": {service: [port, ...]}}``,
#: and ``"grpc": [service, ...]`` for those that speak it.
EDGE = "x-nself-edge"
#: The same: it fetches the edge's certificates. A command in its container that prints a line for each host name:
#: ``issued``, ``waiting``, ``failed`` or ``renewing`` (there is one, and no newer can be had), the name, and why.
CERTIFICATES = "x-nself-certificates"


def _rate(limit: object) -> str:
    text = f"{limit}r/m" if re.fullmatch(r"[0-9]+", str(limit)) else str(limit)
    if not text or re.fullmatch(r"[1-9][0-9]{0,5}r/[sm]", text):
        return text
    raise ValueError("a rate is a number of requests in a minute or a second, such as '100r/m' or '10r/s'")


#: The most requests that one address may send: ``10r/s``, ``100r/m``, or a number for a minute; no limit when empty. So
#: many may come at once, and then at that pace; the others are answered 429.
RateLimit = Annotated[str, BeforeValidator(_rate)]


#: The name of a variable of a container. Programs differ in what they take; none takes blanks or an equals sign.
VariableName = Annotated[str, Field(pattern=r"^[^\s=]+$")]


class Route(Model):
    """A host name that the edge answers for: ``<name>.<domain>``, or ``name`` itself when it has a dot.

    ``service`` is the Compose key of who answers, ``port`` the TCP port it listens on in its container.
    Catalog services leave ``service`` out (it is themselves); say it to route to a service of a Compose file:
    ``project.add(ComposeFile.load("docker-compose.yml")).add(Route(name="shop", service="web", port=8080))``.
    """

    name: str
    port: int = Field(ge=1, le=65535)
    service: str = Field(default="", pattern=r"^[a-zA-Z0-9._-]*$")
    #: Whether a program outside Docker answers: ``port`` is then one of the engine's host.
    on_host: bool = False
    #: Whether what answers speaks gRPC, without TLS, and nothing else.
    grpc: bool = False
    #: Seconds without a byte after which the edge gives up on a request.
    read_timeout: int = Field(default=60, ge=1)
    #: Paths that are for the inside only: the edge answers 404. One that ends in a slash hides all below it.
    hidden: tuple[Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.-]*$")], ...] = ()
    #: The largest request body, in nginx's notation.
    max_body: str = Field(default="10m", pattern=r"^(0|[1-9][0-9]*[kmg]?)$")
    rate_limit: RateLimit = ""
    #: The name of the secret that the edge asks for, as the password of the user ``operator``; nobody when empty.
    login: str = Field(default="", pattern=r"^([A-Z][A-Z0-9_]*)?$")

    @field_validator("name")
    @classmethod
    def _is_host_name(cls, name: str) -> str:
        if all(is_dns_label(label) for label in name.split(".")):
            return name
        raise ValueError("a route is a DNS label such as 'api', or a full domain such as 'api.example.com'")


class Metrics(Model):
    """Where a service offers its metrics, in Prometheus' text format, to the inside of the stack."""

    port: int = Field(ge=1, le=65535)
    path: str = Field(default="/metrics", pattern=r"^/[A-Za-z0-9/_.-]*$")
    #: The Compose key of who answers; catalog services leave it out (it is themselves).
    service: str = ""
    #: How many containers answer under that name, each with its own.
    replicas: int = Field(default=1, ge=1)


class Secret(Model):
    """A secret's name, and where its value comes from. The value itself is never part of a model.

    ``generated``: made on first use, ``length`` characters of the alphabet. ``given``: the user writes it
    into the environment's ``.env.secrets``. ``certificate`` and ``private-key``: the edge's TLS files.
    """

    name: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    source: Literal["generated", "given", "certificate", "private-key"] = "generated"
    length: int = Field(default=48, ge=16)
    alphabet: Literal["alphanumeric", "hexadecimal"] = "alphanumeric"


class Connection(Model):
    """What a service gives to one that uses it, and to no other: `Service.connection`.

    ``secrets`` become files under ``/run/secrets``; ``sql`` is run like that of `Service.sql`.
    """

    environment: dict[str, str] = Field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    sql: str = ""
    depends_on: dict[str, DependsOn] = Field(default_factory=dict)


class Webhook(Model):
    """A call of Hasura's that a service answers: `Action` or `EventTrigger`.

    Hasura shows the service's secret as the header ``X-Webhook-Secret``; ``url`` and ``secret``, the name of that
    secret, are filled in by the service.
    """

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=42)
    #: Seconds that an answer may take.
    timeout: int = Field(default=30, ge=1)
    #: Where in the service; ``/hasura/actions/<name>`` or ``/hasura/events/<name>`` when empty.
    path: str = Field(default="", pattern=r"^(/[A-Za-z0-9/_.-]*)?$")
    url: str = ""
    secret: str = ""


class Action(Webhook):
    """A GraphQL mutation or query that a service answers.

    ``Action(name="greet", arguments={"name": "String!"}, output={"message": "String!"})``; its output type is named
    ``GreetOutput``. Types are GraphQL's own scalars, or custom types that are in Hasura's metadata already.
    """

    arguments: dict[str, str] = Field(default_factory=dict)
    output: dict[str, str] = Field(min_length=1)
    kind: Literal["mutation", "query"] = "mutation"
    #: Who may call it, besides the admin.
    roles: tuple[str, ...] = ("user",)

    @property
    def output_type(self) -> str:
        """The name of its output type."""
        return f"{self.name[0].upper()}{self.name[1:]}Output"


class EventTrigger(Webhook):
    """Rows that change in a table, told to a service; at least once each, and tried again until it answers 2xx.

    ``EventTrigger(name="order_created", table="orders")``. The table, ``schema.name`` outside ``public``, must exist.
    """

    table: str = Field(pattern=r"^([a-z_][a-z0-9_]*\.)?[a-z_][a-z0-9_]*$")
    on: tuple[Literal["insert", "update", "delete"], ...] = Field(default=("insert",), min_length=1)
    #: How often a failed call is tried again, every ten seconds.
    retries: int = Field(default=10, ge=0)
