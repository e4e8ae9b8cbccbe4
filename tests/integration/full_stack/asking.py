"""How the tests of the full stack ask it: as the operator, as Grafana's administrator, as Hasura's; and again."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nself_sdk.testing import Edge

if TYPE_CHECKING:
    from collections.abc import Callable

    from nself_sdk.testing import NselfStack, Response

#: Where GraphQL is answered, and the secret of its administrator.
ENDPOINTS = {
    "api": "HASURA_GRAPHQL_ADMIN_SECRET",
    "api.app1.com": "APP1_ADMIN_SECRET",
    "api.app2.com": "APP2_ADMIN_SECRET",
}


def eventually(what: Callable[[], Any], seconds: float = 60) -> Any:
    """What it returns as soon as that is something."""
    until = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < until:
        time.sleep(0.5)
    return found


def login(stack: NselfStack, user: str, secret: str) -> dict[str, str]:
    """The header of HTTP's basic login."""
    word = base64.b64encode(f"{user}:{stack.secret(secret)}".encode()).decode()
    return {"Authorization": f"Basic {word}"}


def asked(stack: NselfStack, method: str, route: str, path: str = "/", **given: Any) -> Response:
    """A request of the operator's; MLflow takes its time for the first of a kind."""
    edge = Edge(stack.edge.port, address=stack.edge.address, timeout=180)
    headers = login(stack, "operator", "OPERATOR_PASSWORD")
    return edge.request(method, stack.environment.host(route), path, headers=headers, **given)


def grafana(stack: NselfStack, path: str) -> Response:
    """A request of Grafana's administrator."""
    return stack.request("GET", "grafana", path, headers=login(stack, "admin", "GRAFANA_ADMIN_PASSWORD"))


def through_grafana(stack: NselfStack, source: str, path: str) -> Response:
    """What a data source answers to Grafana."""
    return grafana(stack, f"/api/datasources/proxy/uid/{source}{path}")


def metric(stack: NselfStack, expression: str) -> list[Any]:
    """What Prometheus has for the expression now, asked through Grafana."""
    answer = through_grafana(stack, "prometheus", f"/api/v1/query?query={quote(expression)}")
    assert answer.status == 200, answer.text
    return answer.json()["data"]["result"]


def administer(stack: NselfStack, endpoint: str, kind: str, **args: Any) -> Any:
    """One command to an endpoint of Hasura's."""
    path = "/v2/query" if kind == "run_sql" else "/v1/metadata"
    headers = {"X-Hasura-Admin-Secret": stack.secret(ENDPOINTS[endpoint])}
    body = {"type": kind, "args": {"source": "default", **args}}
    answer = stack.request("POST", endpoint, path, json=body, headers=headers)
    assert answer.status == 200, answer.text
    return answer.json()


def graphql(stack: NselfStack, endpoint: str, query: str) -> Any:
    """What somebody without a token is answered."""
    return stack.request("POST", endpoint, "/v1/graphql", json={"query": query}).json()


def psql(stack: NselfStack, database: str, sql: str) -> str:
    """What the database itself says."""
    return stack.exec("postgres", ["psql", "-U", "postgres", "-d", database, "-Atc", sql]).stdout.strip()
