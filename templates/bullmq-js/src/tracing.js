// Traces: sent over OTLP where OTEL_EXPORTER_OTLP_ENDPOINT says; without it nothing is loaded and nothing is measured.
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";

/**
 * Start sending, if there is somewhere to send to; returns what ends it, after the last spans have gone out.
 * @param {import("./settings.js").Settings} settings
 * @returns {Promise<() => Promise<void>>}
 */
export async function startTracing({ name, tracesEndpoint }) {
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
 * @param {import("node:http").IncomingMessage} request
 * @param {(traceId: string | undefined) => void} rest
 * @returns {(route: string, status: number) => void}
 */
export function traced(request, rest) {
  const caller = propagation.extract(context.active(), request.headers);
  const span = trace.getTracer("http").startSpan(`${request.method}`, { kind: SpanKind.SERVER }, caller);
  context.with(
    trace.setSpan(caller, span),
    rest,
    undefined,
    span.isRecording() ? span.spanContext().traceId : undefined,
  );
  return (route, status) => {
    span.updateName(`${request.method} ${route}`);
    span.setAttributes({
      "http.request.method": request.method,
      "http.route": route,
      "http.response.status_code": status,
    });
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  };
}
