"""Traces: sent over OTLP where OTEL_EXPORTER_OTLP_ENDPOINT says; without it nothing is loaded or measured."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from starlette.types import Scope

from app.settings import Settings


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
def span_of(tracer: Tracer, scope: Scope) -> Iterator[Span]:
    """Run a request inside a span of its own, a part of the caller's trace if it names one."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    span = tracer.start_span(scope["method"], context=extract(headers), kind=SpanKind.SERVER)
    token = context.attach(trace.set_span_in_context(span))
    try:
        yield span
    finally:
        context.detach(token)
        span.end()


def name(span: Span, scope: Scope, route: str, status: int) -> None:
    """Say of the span what is known only after the answer."""
    span.update_name(f"{scope['method']} {route}")
    attributes = {"http.request.method": scope["method"], "http.route": route}
    span.set_attributes({**attributes, "http.response.status_code": status})
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
