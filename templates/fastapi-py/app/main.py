"""The application: what is opened, what is around each request, and which routes there are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI
from opentelemetry.trace import Tracer

from app import api, hasura, logs, probes, tracing
from app.observe import Observe
from app.resources import Resources
from app.settings import Settings


class State(TypedDict):
    """What every request finds in `request.state`."""

    resources: Resources
    tracer: Tracer


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application for these settings (default: those of the environment)."""
    chosen = settings or Settings.from_environment()
    logs.configure(chosen.name, chosen.log_level)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        with tracing.started(chosen) as tracer:
            async with Resources.open(chosen) as resources:
                yield {"resources": resources, "tracer": tracer}

    app = FastAPI(title=chosen.name, lifespan=lifespan)
    app.add_middleware(Observe)
    app.include_router(probes.router)
    app.include_router(hasura.router(chosen))
    app.include_router(api.router)
    return app
