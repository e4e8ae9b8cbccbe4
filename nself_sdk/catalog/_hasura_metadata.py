"""The one-shot service ``hasura-metadata``: actions and event triggers that services offer, entered into Hasura."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from nself_sdk import compose
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.offers import Action, EventTrigger, Webhook
from nself_sdk.project import Service

_IMAGE = "python:3.13.15-slim-trixie"
_SCRIPT = Path(__file__).with_name("_hasura_metadata_job.py")


def part(hasura: Service, admin_secret: str, webhooks: Iterable[Webhook]) -> compose.ComposeFile:
    """The job; it runs when Hasura is healthy, and those that wait for it know that they are called."""
    name = f"{hasura.name}-metadata"
    texts = {f"{name}.py": _SCRIPT.read_text(encoding="utf-8"), f"{name}.json": json.dumps(wanted(webhooks), indent=2)}
    job = compose.Service(
        image=_IMAGE,
        command=[
            "python",
            *(f"/{text}" for text in texts),
            f"http://{hasura.name}:8080",
            f"/run/secrets/{admin_secret}",
        ],
        user="10001:10001",
        secrets=[admin_secret],
        configs=[compose.ServiceConfig(source=text, target=f"/{text}") for text in texts],
        depends_on={hasura.name: compose.DependsOn(condition="service_healthy")},
        restart="no",
        deploy=compose.Deploy(resources=compose.Resources(limits=compose.Limits(memory="64m"))),
    )
    configs = {text: compose.Config.inline(content) for text, content in texts.items()}
    return compose.ComposeFile(services={name: job}, configs=configs)


def wanted(webhooks: Iterable[Webhook]) -> dict[str, Any]:
    """What the job enters, in the words of Hasura's metadata."""
    hooks = sorted(webhooks, key=lambda hook: hook.name)
    for one, other in pairwise(hooks):
        if one.name == other.name:
            what = f"both {one.url} and {other.url} want to answer it"
            raise DeclarationError(Problem(one.name, what, "give one of them another name"))
    actions = [hook for hook in hooks if isinstance(hook, Action)]
    return {
        "objects": [{"name": hook.output_type, "fields": _typed(hook.output)} for hook in actions],
        "actions": [_action(hook) for hook in actions],
        "events": [_event(hook) for hook in hooks if isinstance(hook, EventTrigger)],
    }


def _typed(fields: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields.items()]


def _headers(hook: Webhook) -> list[dict[str, str]]:
    return [{"name": "X-Webhook-Secret", "value_from_env": hook.secret}]


def _action(action: Action) -> dict[str, Any]:
    definition: dict[str, Any] = {
        "type": action.kind,
        "arguments": _typed(action.arguments),
        "output_type": f"{action.output_type}!",
        "handler": action.url,
        "headers": _headers(action),
        "timeout": action.timeout,
    }
    if action.kind == "mutation":
        definition["kind"] = "synchronous"
    permissions = [{"role": role} for role in action.roles]
    return {"name": action.name, "definition": definition, **({"permissions": permissions} if permissions else {})}


def _event(event: EventTrigger) -> dict[str, Any]:
    schema, _, table = event.table.rpartition(".")
    definition: dict[str, Any] = {operation: {"columns": "*"} for operation in event.on}
    trigger = {
        "name": event.name,
        "definition": {"enable_manual": False, **definition},
        "webhook": event.url,
        "headers": _headers(event),
        "retry_conf": {"num_retries": event.retries, "interval_sec": 10, "timeout_sec": event.timeout},
    }
    return {"table": {"schema": schema or "public", "name": table}, "trigger": trigger}
