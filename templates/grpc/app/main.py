"""The service: what is opened, what is around each call, and how it ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from grpc import aio
from grpc_health.v1.health import OVERALL_HEALTH
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from app import logs, probes, tracing
from app.greeter import Greeter
from app.observe import Observe
from app.protocol.greeter_pb2 import DESCRIPTOR
from app.protocol.greeter_pb2_grpc import add_GreeterServiceServicer_to_server
from app.resources import Resources
from app.settings import Settings


class Ports(NamedTuple):
    """Where it listens."""

    service: int
    probes: int


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Ports]:
    """Serve inside; at the end take no new call, let those in flight end, and close everything."""
    logs.configure(settings.name, settings.log_level)
    with tracing.started(settings) as tracer:
        async with Resources.open(settings) as resources:
            server = aio.server(interceptors=[Observe(tracer)])
            add_GreeterServiceServicer_to_server(Greeter(resources), server)
            checks = health.HealthServicer()
            add_HealthServicer_to_server(checks, server)
            for name in (OVERALL_HEALTH, *(each.full_name for each in DESCRIPTOR.services_by_name.values())):
                await checks.set(name, HealthCheckResponse.SERVING)
            port = server.add_insecure_port(f"0.0.0.0:{settings.port}")
            await server.start()
            try:
                async with probes.listening(settings.probes_port, port, resources) as probes_port:
                    yield Ports(port, probes_port)
                    await checks.enter_graceful_shutdown()
            finally:
                await server.stop(settings.drain_seconds)
