// The service as its callers see it: no network but this machine's, no database.
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type ArgumentsHost, BadRequestException } from "@nestjs/common";
import { createApp } from "../src/app.js";
import { Failures } from "../src/failures.js";
import { configureLogs } from "../src/logs.js";
import { Settings } from "../src/settings.js";
import { startTracing } from "../src/tracing.js";

// biome-ignore lint/suspicious/noExplicitAny: the lines of the log, as they come
const lines: any[] = [];
const undo: (() => unknown)[] = [];
let url = "";

async function start(environment: Record<string, string>): Promise<string> {
  const app = await createApp(new Settings(environment));
  await app.listen(0, "127.0.0.1");
  undo.push(async () => {
    app.getHttpServer().closeAllConnections();
    await app.close();
  });
  return `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
}

function call(path: string, secret: string, body: unknown): Promise<Response> {
  const headers = { "X-Webhook-Secret": secret, "Content-Type": "application/json", "X-Request-ID": "r1" };
  return fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
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
  const echoed = async (id: string) =>
    (await fetch(url, { headers: { "X-Request-ID": id } })).headers.get("X-Request-ID");
  assert.equal(await echoed("abc-1"), "abc-1");
  assert.notEqual(await echoed('a" onload="'), 'a" onload="');
  assert.ok(lines.some((line) => line.request_id === "abc-1" && line.route === "/" && line.status === 200));
});

test("a refusal is told, and of a failure nothing but that, which is in the log", async () => {
  const greet = async (body: unknown) => {
    const answer = await call("/hasura/actions/greet", "hush", body);
    return [answer.status, await answer.json()];
  };
  assert.deepEqual(await greet({}), [400, { message: "a name is needed", request_id: "r1" }]);
  assert.equal((await greet({ input: { name: "x".repeat(2 ** 19) } }))[0], 200);
  assert.equal((await greet("x".repeat(2 ** 21)))[0], 413);
  const answers: unknown[] = [];
  const response = {
    status(status: number) {
      answers.push(status);
      return this;
    },
    json: (body: unknown) => answers.push(body),
  };
  const host = { switchToHttp: () => ({ getResponse: () => response }) } as unknown as ArgumentsHost;
  const somebodyElses = Object.assign(new Error("for the log alone"), { status: 404 });
  new Failures().catch(somebodyElses, host);
  assert.deepEqual(answers, [500, { message: "Internal Server Error", request_id: undefined }]);
  assert.ok(lines.some((line) => line.exception?.includes("for the log alone")));
  new Failures().catch(new BadRequestException(["a is missing", "b is missing"]), host);
  assert.deepEqual(answers[3], { message: ["a is missing", "b is missing"], request_id: undefined });
});

test("Hasura is answered when it shows the secret, and only then", async () => {
  const body = { input: { name: "Ada" } };
  assert.equal((await call("/hasura/actions/greet", "guess", body)).status, 401);
  const answer = await call("/hasura/actions/greet", "hush", body);
  assert.deepEqual([answer.status, await answer.json()], [200, { message: "Hello, Ada." }]);
});

test("without a webhook secret there is nothing for Hasura", async () => {
  const answer = await fetch(`${await start({})}/hasura/actions/greet`, { method: "POST" });
  assert.equal(answer.status, 404);
});

test("an event is taken, and logged with its id", async () => {
  const event = { id: "e1", event: { op: "INSERT" }, table: { name: "orders" } };
  assert.equal((await call("/hasura/events/order_created", "hush", event)).status, 204);
  assert.ok(lines.some((line) => line.event_id === "e1" && line.trigger === "order_created"));
});

test("a secret may come from a file", () => {
  const file = join(mkdtempSync(join(tmpdir(), "secret-")), "password");
  writeFileSync(file, "p/w\n");
  const settings = new Settings({ DATABASE_URL: "postgres://me@db/app", DATABASE_PASSWORD_FILE: file });
  assert.equal(settings.databaseUrl, "postgres://me:p%2Fw@db/app");
});

test("spans go where OTEL_EXPORTER_OTLP_ENDPOINT says, in the caller's trace", async () => {
  const received: { path: string | undefined; body: string }[] = [];
  const tempo = createServer(async (request, response) => {
    received.push({ path: request.url, body: await textOf(request) });
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => tempo.once("listening", resolve));
  const { port } = tempo.address() as AddressInfo;
  const stop = await startTracing(new Settings({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/` }));
  const trace = "0af7651916cd43dd8448eb211c80319c";
  await (await fetch(url, { headers: { traceparent: `00-${trace}-b7ad6b7169203331-01` } })).text();
  await stop();
  tempo.close();
  tempo.closeAllConnections();
  const span = JSON.parse(received[0]?.body ?? "").resourceSpans[0].scopeSpans[0].spans[0];
  assert.deepEqual([received[0]?.path, span.name, span.traceId], ["/v1/traces", "GET /", trace]);
  assert.ok(lines.some((line) => line.trace_id === trace));
});

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}
