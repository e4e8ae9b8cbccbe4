"""Around each request: an id, a line in the log, a measurement, and an answer when the code fails."""

import logging
import re
from http import HTTPStatus
from time import perf_counter
from uuid import uuid4

from prometheus_client import Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import tracing
from app.logs import request_id

log = logging.getLogger("app.request")

IN_FLIGHT = Gauge("http_requests_in_flight", "Requests being answered now.")
DURATION = Histogram(
    "http_request_duration_seconds",
    "How long requests took, by route.",
    ["method", "route", "status"],
)

HEADER = "X-Request-ID"
PROBES = frozenset({"/health", "/ready", "/metrics"})
_SAFE_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


class Observe:
    """ASGI middleware: plain, so that streaming and long answers pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass HTTP requests on under observation, everything else as it is."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        given = Headers(scope=scope).get(HEADER, "")
        identity = given if _SAFE_ID.fullmatch(given) else uuid4().hex
        token = request_id.set(identity)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = identity
            await send(message)

        started = perf_counter()
        try:
            with IN_FLIGHT.track_inprogress(), tracing.span_of(scope["state"]["tracer"], scope) as span:
                try:
                    await self.app(scope, receive, send_with_id)
                finally:
                    tracing.name(span, scope, _route(scope), status or HTTPStatus.INTERNAL_SERVER_ERROR)
        except Exception:
            log.exception("request failed")
            if status:  # half an answer has gone out: the server must cut the connection
                raise
            body = {"detail": "Internal Server Error", "request_id": identity}
            await JSONResponse(body, status_code=500)(scope, receive, send_with_id)
        finally:
            _record(scope, status, perf_counter() - started)
            request_id.reset(token)


def _route(scope: Scope) -> str:
    """Return the route's template, never the path: every path would be a time series of its own."""
    return getattr(scope.get("route"), "path", "unmatched")


def _record(scope: Scope, status: int, seconds: float) -> None:
    route = _route(scope)
    DURATION.labels(scope["method"], route, status).observe(seconds)
    log.log(
        logging.DEBUG if route in PROBES else logging.INFO,
        "request",
        extra={
            "method": scope["method"],
            "path": scope["path"],
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            "client": scope["client"][0] if scope["client"] else None,
        },
    )
