"""What machines ask over HTTP, at a port of its own: does it live, can it work, what does it measure."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import grpc
from aiohttp import web
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.resources import CHECK_SECONDS, Resources


@asynccontextmanager
async def listening(port: int, service_port: int, resources: Resources) -> AsyncIterator[int]:
    """Answer at that port, while the gRPC service is at the other; return the port that it is."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service_port}") as channel:
        probes = Probes(HealthStub(channel), resources)
        runner = web.AppRunner(probes.application(), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - within the container's network
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()


class Probes:
    """The routes."""

    def __init__(self, service: HealthStub, resources: Resources) -> None:
        self.service: Any = service  # its types do not name its methods
        self.resources = resources

    def application(self) -> web.Application:
        """Return the routes as an application."""
        application = web.Application()
        for path in ("/health", "/ready", "/metrics"):
            application.router.add_get(path, getattr(self, path.removeprefix("/")))
        return application

    async def health(self, _: web.Request) -> web.Response:
        """Answer at once, whatever the state of others: restarting this service would not mend them."""
        return web.json_response({"status": "ok"})

    async def ready(self, _: web.Request) -> web.Response:
        """Ask the service as its callers do, and all that is configured; 503 when one does not answer."""
        checks = {"grpc": await self._serving(), **await self.resources.check()}
        ready = all(outcome == "ok" for outcome in checks.values())
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response({"status": "ready" if ready else "unready", "checks": checks}, status=status)

    async def metrics(self, _: web.Request) -> web.Response:
        """All measurements in Prometheus' text format."""
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _serving(self) -> str:
        try:
            answer = await self.service.Check(HealthCheckRequest(), timeout=CHECK_SECONDS)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        serving = answer.status == HealthCheckResponse.SERVING
        return "ok" if serving else HealthCheckResponse.ServingStatus.Name(answer.status)
