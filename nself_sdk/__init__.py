"""nself_sdk: compose a backend stack in typed Python and deploy it with Docker."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nself_sdk.catalog.auth import Auth, Smtp
    from nself_sdk.catalog.custom_service import CustomService
    from nself_sdk.catalog.frontend_app import FrontendApp
    from nself_sdk.catalog.functions import Functions
    from nself_sdk.catalog.hasura import Hasura
    from nself_sdk.catalog.mailpit import Mailpit
    from nself_sdk.catalog.meilisearch import Meilisearch
    from nself_sdk.catalog.minio import Minio
    from nself_sdk.catalog.mlflow import Mlflow
    from nself_sdk.catalog.monitoring import Monitoring
    from nself_sdk.catalog.monitoring.alertmanager import AlertEmail, Alertmanager
    from nself_sdk.catalog.monitoring.grafana import Grafana
    from nself_sdk.catalog.monitoring.loki import Loki
    from nself_sdk.catalog.monitoring.prometheus import Prometheus
    from nself_sdk.catalog.monitoring.tempo import Tempo
    from nself_sdk.catalog.nginx import Nginx
    from nself_sdk.catalog.nself_admin import NselfAdmin
    from nself_sdk.catalog.postgres import Postgres
    from nself_sdk.catalog.redis import Redis
    from nself_sdk.catalog.remote_schema import RemoteSchema
    from nself_sdk.catalog.typesense import Typesense
    from nself_sdk.compose import ComposeFile
    from nself_sdk.deploy import Deployment
    from nself_sdk.environment import Environment
    from nself_sdk.errors import DeclarationError, DriverError, NselfError, SecretError
    from nself_sdk.offers import Action, EventTrigger
    from nself_sdk.project import Context, Metrics, Project, Route, Secret, Service
    from nself_sdk.render import render

# Where each public name is. Looked up on first use, so that importing the SDK stays cheap.
_PLACES = {
    "Action": "offers",
    "EventTrigger": "offers",
    "AlertEmail": "catalog.monitoring.alertmanager",
    "Alertmanager": "catalog.monitoring.alertmanager",
    "Auth": "catalog.auth",
    "ComposeFile": "compose",
    "Context": "project",
    "CustomService": "catalog.custom_service",
    "DeclarationError": "errors",
    "Deployment": "deploy",
    "DriverError": "errors",
    "Environment": "environment",
    "FrontendApp": "catalog.frontend_app",
    "Functions": "catalog.functions",
    "Grafana": "catalog.monitoring.grafana",
    "Hasura": "catalog.hasura",
    "Loki": "catalog.monitoring.loki",
    "Mailpit": "catalog.mailpit",
    "Meilisearch": "catalog.meilisearch",
    "Metrics": "project",
    "Minio": "catalog.minio",
    "Mlflow": "catalog.mlflow",
    "Monitoring": "catalog.monitoring",
    "Nginx": "catalog.nginx",
    "NselfAdmin": "catalog.nself_admin",
    "NselfError": "errors",
    "Postgres": "catalog.postgres",
    "Project": "project",
    "Prometheus": "catalog.monitoring.prometheus",
    "Redis": "catalog.redis",
    "RemoteSchema": "catalog.remote_schema",
    "Route": "project",
    "Secret": "project",
    "SecretError": "errors",
    "Service": "project",
    "Smtp": "catalog.auth",
    "Tempo": "catalog.monitoring.tempo",
    "Typesense": "catalog.typesense",
    "render": "render",
}

__all__ = [
    "Action",
    "AlertEmail",
    "Alertmanager",
    "Auth",
    "ComposeFile",
    "Context",
    "CustomService",
    "DeclarationError",
    "Deployment",
    "DriverError",
    "Environment",
    "EventTrigger",
    "FrontendApp",
    "Functions",
    "Grafana",
    "Hasura",
    "Loki",
    "Mailpit",
    "Meilisearch",
    "Metrics",
    "Minio",
    "Mlflow",
    "Monitoring",
    "Nginx",
    "NselfAdmin",
    "NselfError",
    "Postgres",
    "Project",
    "Prometheus",
    "Redis",
    "RemoteSchema",
    "Route",
    "Secret",
    "SecretError",
    "Service",
    "Smtp",
    "Tempo",
    "Typesense",
    "render",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


class _Package(ModuleType):
    """Importing `nself_sdk.render` must not hide the function of that name behind the module that holds it."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _PLACES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
