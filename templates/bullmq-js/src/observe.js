// Around each request: an id, a line in the log, a measurement, a span.
import { randomUUID } from "node:crypto";
import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { current, log } from "./logs.js";
import { traced } from "./tracing.js";

export const registry = new Registry();
collectDefaultMetrics({ register: registry });

const inFlight = new Gauge({
  name: "http_requests_in_flight",
  help: "Requests being answered now.",
  registers: [registry],
});
const duration = new Histogram({
  name: "http_request_duration_seconds",
  help: "How long requests took, by route.",
  labelNames: ["method", "route", "status"],
  registers: [registry],
});

const PROBES = new Set(["/health", "/ready", "/metrics"]);
const SAFE_ID = /^[\w.:-]{1,128}$/;

/**
 * @param {import("express").Request} request
 * @param {import("express").Response} response
 * @param {import("express").NextFunction} next
 */
export function observe(request, response, next) {
  const given = request.get("X-Request-ID") ?? "";
  const requestId = SAFE_ID.test(given) ? given : randomUUID();
  response.setHeader("X-Request-ID", requestId);
  response.locals.requestId = requestId;
  const started = process.hrtime.bigint();
  inFlight.inc();
  const end = traced(request, (traceId) => {
    const fields = { request_id: requestId, ...(traceId && { trace_id: traceId }) };
    response.once("close", () => current.run(fields, record));
    current.run(fields, () => next());
  });

  function record() {
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    // The route's template, never the path: every path would be a time series of its own.
    const route = request.route ? request.baseUrl + request.route.path : "unmatched";
    const status = response.writableFinished ? response.statusCode : 499; // the caller went away
    inFlight.dec();
    duration.observe({ method: request.method, route, status }, seconds);
    end(route, status);
    log[PROBES.has(route) ? "debug" : "info"]("request", {
      method: request.method,
      path: request.path,
      route,
      status,
      duration_ms: Math.round(seconds * 1e4) / 10,
      client: request.ip,
    });
  }
}
