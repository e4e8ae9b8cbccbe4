"""Traces: sent over OTLP where OTEL_EXPORTER_OTLP_ENDPOINT says; without it nothing is loaded or measured."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from grpc import StatusCode
from opentelemetry import context, trace
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, Status, Tracer
from opentelemetry.trace import StatusCode as Outcome

from app.settings import Settings

# https://opentelemetry.io/docs/specs/semconv/rpc/grpc/: whose fault is the server's own.
_OURS = {
    StatusCode.UNKNOWN,
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.UNIMPLEMENTED,
    StatusCode.INTERNAL,
    StatusCode.UNAVAILABLE,
    StatusCode.DATA_LOSS,
}


@contextmanager
def started(settings: Settings) -> Iterator[Tracer]:
    """Return what makes spans; when it ends, the last ones have gone out."""
    if settings.traces_endpoint is None:
        yield trace.NoOpTracer()
        return

    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": settings.name}))
    exporter = OTLPSpanExporter(f"{settings.traces_endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider.get_tracer("app")
    finally:
        provider.shutdown()


@contextmanager
def span_of(tracer: Tracer, service: str, method: str, metadata: Mapping[str, str]) -> Iterator[Span]:
    """Run a call inside a span of its own, a part of the caller's trace if it names one."""
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
    span = tracer.start_span(
        f"{service}/{method}", context=extract(metadata), kind=SpanKind.SERVER, attributes=attributes
    )
    token = context.attach(trace.set_span_in_context(span))
    try:
        yield span
    finally:
        context.detach(token)
        span.end()


def ended(span: Span, code: StatusCode) -> None:
    """Say of the span what is known only after the answer."""
    span.set_attribute("rpc.grpc.status_code", code.value[0])
    if code in _OURS:
        span.set_status(Status(Outcome.ERROR))
