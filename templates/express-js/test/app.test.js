// The service as its callers see it: no network but this machine's, no database.
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import express from "express";
import { createApp } from "../src/app.js";
import { failed } from "../src/failures.js";
import { configureLogs } from "../src/logs.js";
import { observe } from "../src/observe.js";
import { Resources } from "../src/resources.js";
import { settingsFrom } from "../src/settings.js";
import { startTracing } from "../src/tracing.js";

/** @type {any[]} */
const lines = [];
/** @type {(() => unknown)[]} */
const undo = [];
let url = "";

/** @param {Record<string, string>} environment */
async function start(environment) {
  const settings = settingsFrom(environment);
  const resources = new Resources(settings);
  const app = createApp(settings, resources);
  const server = createServer(app).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  undo.push(
    () => resources.close(),
    () => server.close(),
    () => server.closeAllConnections(),
  );
  return `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
}

before(async () => {
  configureLogs("shop", "info", (line) => lines.push(JSON.parse(line)));
  url = await start({ WEBHOOK_SECRET: "hush" });
});
after(() => Promise.all(undo.reverse().map((each) => each())));

test("it says hello", async () => {
  const answer = await (await fetch(`${url}/?name=Ada`)).json();
  assert.equal(answer.message, "Hello, Ada.");
});

test("it lives, and is ready when it needs nothing", async () => {
  assert.deepEqual(await (await fetch(`${url}/health`)).json(), { status: "ok" });
  const ready = await fetch(`${url}/ready`);
  assert.deepEqual([ready.status, await ready.json()], [200, { status: "ready", checks: {} }]);
});

test("it lives but is not ready without what it needs", async () => {
  const nobody = "127.0.0.1:1";
  const lonely = await start({
    DATABASE_URL: `postgres://me@${nobody}/db`,
    DATABASE_PASSWORD: "hidden",
    REDIS_URL: `redis://${nobody}/0`,
    REDIS_PASSWORD: "hidden",
  });
  const ready = await fetch(`${lonely}/ready`);
  const text = await ready.text();
  assert.equal((await fetch(`${lonely}/health`)).status, 200);
  assert.equal(ready.status, 503);
  assert.deepEqual(Object.keys(JSON.parse(text).checks), ["database", "redis"]);
  assert.doesNotMatch(text + JSON.stringify(lines), /hidden/);
});

test("requests are measured by route", async () => {
  await fetch(`${url}/`);
  await fetch(`${url}/nothing/here`);
  const text = await (await fetch(`${url}/metrics`)).text();
  assert.match(text, /http_request_duration_seconds_count\{method="GET",route="\/",status="200"\}/);
  assert.match(text, /route="unmatched",status="404"/);
  assert.doesNotMatch(text, /nothing\/here/);
});

test("a request keeps its id, and an unsafe one is replaced", async () => {
  /** @param {string} id */
  const echoed = async (id) =>
    (await fetch(url, { headers: { "X-Request-ID": id } })).headers.get("X-Request-ID");
  assert.equal(await echoed("abc-1"), "abc-1");
  assert.notEqual(await echoed('a" onload="'), 'a" onload="');
  assert.ok(lines.some((line) => line.request_id === "abc-1" && line.route === "/" && line.status === 200));
});

test("a refusal is told, and of a failure nothing but that, which is in the log", async () => {
  const headers = { "X-Webhook-Secret": "hush", "Content-Type": "application/json", "X-Request-ID": "r1" };
  /** @param {string} body */
  const greet = async (body) => {
    const answer = await fetch(`${url}/hasura/actions/greet`, { method: "POST", headers, body });
    return [answer.status, await answer.json()];
  };
  assert.deepEqual(await greet("{}"), [400, { message: "a name is needed", request_id: "r1" }]);
  assert.equal((await greet("null"))[0], 400);
  assert.equal((await greet(JSON.stringify("x".repeat(2 ** 21))))[0], 413);
  const broken = () => {
    throw Object.assign(new Error("for the log alone"), { status: 404 }); // somebody else's status
  };
  const server = createServer(express().use(observe).get("/broken", broken).use(failed)).listen(
    0,
    "127.0.0.1",
  );
  await new Promise((resolve) => server.once("listening", resolve));
  undo.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const answer = await fetch(`http://127.0.0.1:${port}/broken`, { headers: { "X-Request-ID": "r2" } });
  assert.deepEqual(
    [answer.status, await answer.json()],
    [500, { message: "Internal Server Error", request_id: "r2" }],
  );
  assert.ok(lines.some((line) => line.request_id === "r2" && line.exception?.includes("for the log alone")));
});

test("Hasura is answered when it shows the secret, and only then", async () => {
  const body = JSON.stringify({ input: { name: "Ada" } });
  /** @param {string} secret */
  const call = (secret) =>
    fetch(`${url}/hasura/actions/greet`, {
      method: "POST",
      headers: { "X-Webhook-Secret": secret, "Content-Type": "application/json" },
      body,
    });
  assert.equal((await call("guess")).status, 401);
  assert.deepEqual(await (await call("hush")).json(), { message: "Hello, Ada." });
});

test("without a webhook secret there is nothing for Hasura", async () => {
  const answer = await fetch(`${await start({})}/hasura/actions/greet`, { method: "POST" });
  assert.equal(answer.status, 404);
});

test("an event is taken, and logged with its id", async () => {
  const answer = await fetch(`${url}/hasura/events/order_created`, {
    method: "POST",
    headers: { "X-Webhook-Secret": "hush", "Content-Type": "application/json" },
    body: JSON.stringify({ id: "e1", event: { op: "INSERT" }, table: { name: "orders" } }),
  });
  assert.equal(answer.status, 204);
  assert.ok(lines.some((line) => line.event_id === "e1" && line.trigger === "order_created"));
});

test("a secret may come from a file", () => {
  const file = join(mkdtempSync(join(tmpdir(), "secret-")), "password");
  writeFileSync(file, "p/w\n");
  const settings = settingsFrom({ DATABASE_URL: "postgres://me@db/app", DATABASE_PASSWORD_FILE: file });
  assert.equal(settings.databaseUrl, "postgres://me:p%2Fw@db/app");
});

test("spans go where OTEL_EXPORTER_OTLP_ENDPOINT says, in the caller's trace", async () => {
  /** @type {any[]} */
  const received = [];
  const tempo = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => {
      body += part;
    });
    request.on("end", () => {
      received.push({ path: request.url, body: JSON.parse(body) });
      response.end("{}");
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => tempo.once("listening", resolve));
  const { port } = /** @type {import("node:net").AddressInfo} */ (tempo.address());
  const stop = await startTracing(settingsFrom({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/` }));
  const trace = "0af7651916cd43dd8448eb211c80319c";
  await (await fetch(url, { headers: { traceparent: `00-${trace}-b7ad6b7169203331-01` } })).text();
  await stop();
  tempo.close();
  tempo.closeAllConnections();
  const span = received[0].body.resourceSpans[0].scopeSpans[0].spans[0];
  assert.deepEqual([received[0].path, span.name, span.traceId], ["/v1/traces", "GET /", trace]);
  assert.ok(lines.some((line) => line.trace_id === trace));
});
