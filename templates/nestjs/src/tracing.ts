// Traces: sent over OTLP where OTEL_EXPORTER_OTLP_ENDPOINT says; without it nothing is loaded and nothing is measured.
import type { IncomingMessage } from "node:http";
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Settings } from "./settings.js";

/** Start sending, if there is somewhere to send to; returns what ends it, after the last spans have gone out. */
export async function startTracing({ name, tracesEndpoint }: Settings): Promise<() => Promise<void>> {
  if (!tracesEndpoint) return async () => {};
  const [{ BatchSpanProcessor, NodeTracerProvider }, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import("@opentelemetry/sdk-trace-node"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/resources"),
    ]);
  const url = `${tracesEndpoint.replace(/\/+$/, "")}/v1/traces`;
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ "service.name": name }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url }))],
  });
  provider.register();
  return () => provider.shutdown();
}

/**
 * Begin the span of a request, as a part of the caller's trace if it names one; run the rest inside it.
 * Returns what ends it.
 */
export function traced(
  request: IncomingMessage,
  rest: (traceId: string | undefined) => void,
): (route: string, status: number) => void {
  const method = request.method ?? "";
  const caller = propagation.extract(context.active(), request.headers);
  const span = trace.getTracer("http").startSpan(method, { kind: SpanKind.SERVER }, caller);
  const traceId = span.isRecording() ? span.spanContext().traceId : undefined;
  context.with(trace.setSpan(caller, span), rest, undefined, traceId);
  return (route, status) => {
    span.updateName(`${method} ${route}`);
    span.setAttributes({
      "http.request.method": method,
      "http.route": route,
      "http.response.status_code": status,
    });
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  };
}
