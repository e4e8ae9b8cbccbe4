"""Around each call: an id, a line in the log, a measurement, a span, and an answer when the code fails."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
from grpc import StatusCode
from grpc.aio import AbortError, ServerInterceptor
from opentelemetry.trace import Tracer
from prometheus_client import Counter, Gauge, Histogram

from app import tracing
from app.logs import request_id

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]  # which is generic for type checkers only

log = logging.getLogger("app.call")

# The names that gRPC's own middlewares give them, so that dashboards made for those fit.
IN_FLIGHT = Gauge("grpc_server_in_flight", "Calls being answered now.")
HANDLED = Counter(
    "grpc_server_handled", "Calls, by how they ended.", ["grpc_service", "grpc_method", "grpc_code"]
)
DURATION = Histogram(
    "grpc_server_handling_seconds", "How long calls took, by method.", ["grpc_service", "grpc_method"]
)

HEADER = "x-request-id"
_HEALTH = "grpc.health.v1.Health"
_SAFE_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)

# By whether requests and answers are streams.
_KINDS: dict[tuple[bool, bool], tuple[str, Callable[..., Any]]] = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}


class Observe(ServerInterceptor):
    """Wraps every method. One that answers a stream is an async generator."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Return the method under observation."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:  # no such method: the server says so
            return None
        service, _, method = handler_call_details.method.removeprefix("/").partition("/")
        kind, make = _KINDS[handler.request_streaming, handler.response_streaming]
        code = getattr(handler, kind)

        async def answered(request: Any, context: Any) -> Any:
            async with self._observed(service, method, context):
                return await code(request, context)

        async def streamed(request: Any, context: Any) -> AsyncIterator[Any]:
            async with self._observed(service, method, context):
                async for answer in code(request, context):
                    yield answer

        made: Handler = make(
            streamed if handler.response_streaming else answered,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return made

    @asynccontextmanager
    async def _observed(self, service: str, method: str, context: Any) -> AsyncIterator[None]:
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        given = metadata.get(HEADER, "")
        identity = given if _SAFE_ID.fullmatch(given) else uuid4().hex
        token = request_id.set(identity)
        context.set_trailing_metadata(((HEADER, identity),))
        code, started = StatusCode.UNKNOWN, perf_counter()
        try:
            span = tracing.span_of(self.tracer, service, method, metadata)
            with IN_FLIGHT.track_inprogress(), span as told:
                try:
                    yield
                    code = context.code() or StatusCode.OK
                except AbortError:  # said on purpose
                    code = context.code() or StatusCode.UNKNOWN
                    raise
                except (asyncio.CancelledError, GeneratorExit):  # the caller went away, or its time is over
                    code = StatusCode.CANCELLED
                    raise
                except Exception:
                    log.exception("call failed")
                    code = StatusCode.INTERNAL
                    # Left to itself, the server would tell the caller what the exception says.
                    await context.abort(code, "internal error")
                finally:
                    tracing.ended(told, code)
        finally:
            seconds = perf_counter() - started
            HANDLED.labels(service, method, code.name).inc()
            DURATION.labels(service, method).observe(seconds)
            log.log(
                logging.DEBUG if service == _HEALTH else logging.INFO,
                "call",
                extra={
                    "method": f"{service}/{method}",
                    "code": code.name,
                    "duration_ms": round(seconds * 1000, 1),
                    "client": metadata.get("x-real-ip", context.peer()),
                },
            )
            request_id.reset(token)
