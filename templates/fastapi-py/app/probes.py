"""The routes for machines: does it live, can it work, what does it measure."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from app.resources import Opened

router = APIRouter(include_in_schema=False)


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether it can do its work, and what stands in the way."""

    status: Literal["ready", "unready"]
    checks: Mapping[str, str]


@router.get("/health")
async def health() -> Health:
    """Answer at once, whatever the state of others: restarting this service would not mend them."""
    return Health()


@router.get("/ready")
async def ready(resources: Opened, response: Response) -> Readiness:
    """Ask all that is configured; 503 when one of them does not answer."""
    checks = await resources.check()
    if all(outcome == "ok" for outcome in checks.values()):
        return Readiness(status="ready", checks=checks)
    response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(status="unready", checks=checks)


@router.get("/metrics")
async def metrics() -> Response:
    """All measurements in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
