// The service as its callers see it: no network but this machine's. What needs a Redis asks the one that
// TEST_REDIS_URL names, in a queue of its own, and is skipped without.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { UnrecoverableError } from "bullmq";
import { createApp } from "../src/app.js";
import { jobs } from "../src/jobs.js";
import { configureLogs } from "../src/logs.js";
import { Resources } from "../src/resources.js";
import { settingsFrom } from "../src/settings.js";
import { startTracing } from "../src/tracing.js";
import { startWorker } from "../src/worker.js";

const REDIS = process.env.TEST_REDIS_URL;
const queued = { skip: REDIS ? false : "no TEST_REDIS_URL", timeout: 20_000 };
const NOBODY = { REDIS_URL: "redis://127.0.0.1:1/0", REDIS_PASSWORD: "hidden" };

/** @type {any[]} */
const lines = [];
/** @type {(() => unknown)[]} */
const undo = [];
let url = "";

/** @param {Record<string, string>} environment */
async function start(environment) {
  const settings = settingsFrom(environment);
  const resources = new Resources(settings);
  const server = createServer(createApp(settings, resources)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  undo.push(
    () => resources.close(),
    () => server.close(),
    () => server.closeAllConnections(),
  );
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { settings, resources, url: `http://127.0.0.1:${port}` };
}

/** A service with a queue that nobody else has, and its worker. */
async function working() {
  const queue = { QUEUE_NAME: `test-${randomUUID()}`, REDIS_URL: REDIS ?? "", WEBHOOK_SECRET: "hush" };
  const { settings, resources, url } = await start(queue);
  const stop = startWorker(settings, resources);
  undo.push(
    () => resources.queue.obliterate({ force: true }),
    () => stop(1),
  );
  await resources.queue.waitUntilReady();
  return { resources, stop, url };
}

/**
 * @param {string} to
 * @param {unknown} body
 * @param {Record<string, string>} [headers]
 */
function post(to, body, headers = {}) {
  return fetch(to, {
    method: "POST",
    headers: { "X-Webhook-Secret": "hush", "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/**
 * What became of a job, when it is over.
 * @param {string} at
 * @returns {Promise<any>}
 */
async function ended(at) {
  for (;;) {
    const job = await (await fetch(at)).json();
    if (["completed", "failed"].includes(job.state)) return job;
    await sleep(20);
  }
}

before(async () => {
  configureLogs("shop", "info", (line) => lines.push(JSON.parse(line)));
  url = (await start({ ...NOBODY, WEBHOOK_SECRET: "hush" })).url;
});
after(async () => {
  for (const each of undo.reverse()) await each();
});

test("a job is taken, worked off, and its result kept", queued, async () => {
  const service = await working();
  const taken = await post(`${service.url}/jobs`, { name: "greet", data: { name: "Ada" } });
  assert.equal(taken.status, 202);
  const job = await ended(service.url + taken.headers.get("Location"));
  assert.deepEqual([job.state, job.result], ["completed", { message: "Hello, Ada." }]);
  const ready = await fetch(`${service.url}/ready`);
  assert.deepEqual(await ready.json(), { status: "ready", checks: { redis: "ok" } });
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  assert.match(metrics, /job_duration_seconds_count\{job="greet",outcome="done"\} 1/);
  assert.match(metrics, /queue_jobs\{state="wait"\} 0/);
  assert.ok(lines.some((line) => line.message === "job done" && line.job_id === job.id));
});

test("a job that fails is tried again, later, and one that cannot succeed is not", queued, async () => {
  const service = await working();
  jobs.shaky = async ({ attemptsMade, data }) => {
    if (data.hopeless) throw new UnrecoverableError("hopeless");
    if (attemptsMade === 0) throw new Error("not yet");
    return "at last";
  };
  const [shaky, hopeless] = await Promise.all(
    [{}, { hopeless: true }].map(async (data) => {
      const { id } = await (await post(`${service.url}/jobs`, { name: "shaky", data })).json();
      return ended(`${service.url}/jobs/${id}`);
    }),
  );
  delete jobs.shaky;
  assert.deepEqual([shaky.state, shaky.result, shaky.attempts], ["completed", "at last", 2]);
  assert.deepEqual([hopeless.state, hopeless.error, hopeless.attempts], ["failed", "hopeless", 1]);
  const told = lines
    .filter((line) => line.job === "shaky" && line.level !== "info")
    .map((line) => line.level);
  assert.deepEqual(told.sort(), ["error", "warning"]);
});

test("when it stops, the job in hand ends and no other begins", queued, async () => {
  const service = await working();
  /** @type {(value?: unknown) => void} */
  let begun = () => {};
  const inHand = new Promise((resolve) => {
    begun = resolve;
  });
  jobs.long = async () => {
    begun();
    await sleep(300);
    return "whole";
  };
  const first = await (await post(`${service.url}/jobs`, { name: "long" })).json();
  await inHand;
  const stopped = service.stop(5);
  const second = await (await post(`${service.url}/jobs`, { name: "long" })).json();
  await stopped;
  delete jobs.long;
  assert.equal((await ended(`${service.url}/jobs/${first.id}`)).result, "whole");
  assert.equal((await (await fetch(`${service.url}/jobs/${second.id}`)).json()).state, "waiting");
});

test("an Action is answered with the id of its job, and one event is one job", queued, async () => {
  const service = await working();
  const action = await post(`${service.url}/hasura/actions/greet`, { input: { name: "Ada" } });
  const { id } = await action.json();
  assert.deepEqual((await ended(`${service.url}/jobs/${id}`)).result, { message: "Hello, Ada." });
  const event = { id: randomUUID(), event: { op: "INSERT", data: { old: null, new: { id: 1 } } } };
  for (const _ of ["once", "and again"]) {
    assert.equal((await post(`${service.url}/hasura/events/greet`, event)).status, 204);
  }
  assert.equal((await ended(`${service.url}/jobs/${event.id}`)).state, "failed"); // it has no name
  const counts = await service.resources.queue.getJobCounts("completed", "failed");
  assert.deepEqual(counts, { completed: 1, failed: 1 });
});

test("the spans of a job are in the trace of the request", queued, async () => {
  const { received, endpoint, close } = await tempo();
  const stop = await startTracing(settingsFrom({ ...NOBODY, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }));
  const service = await working();
  const trace = "0af7651916cd43dd8448eb211c80319c";
  const headers = { traceparent: `00-${trace}-b7ad6b7169203331-01` };
  const { id } = await (
    await post(`${service.url}/jobs`, { name: "greet", data: { name: "A" } }, headers)
  ).json();
  await ended(`${service.url}/jobs/${id}`);
  await service.stop(1);
  await stop();
  close();
  const spans = received
    .flatMap(({ body }) => body.resourceSpans[0].scopeSpans)
    .flatMap(({ spans }) => spans);
  const names = spans.filter((span) => span.traceId === trace).map((span) => span.name);
  assert.ok(names.includes("POST /jobs"), names.join());
  assert.ok(
    names.some((name) => name.startsWith("process ")),
    names.join(),
  );
  assert.equal(received[0].path, "/v1/traces");
  assert.ok(lines.some((line) => line.job_id === id && line.trace_id === trace));
});

test("it lives but is not ready without what it needs, and tells no password", async () => {
  const lonely = await start({
    ...NOBODY,
    DATABASE_URL: "postgres://me@127.0.0.1:1/db",
    DATABASE_PASSWORD: "hidden",
  });
  const ready = await fetch(`${lonely.url}/ready`);
  const text = await ready.text();
  assert.equal((await fetch(`${lonely.url}/health`)).status, 200);
  assert.equal(ready.status, 503);
  assert.deepEqual(Object.keys(JSON.parse(text).checks), ["redis", "database"]);
  assert.doesNotMatch(text + JSON.stringify(lines), /hidden/);
});

test("without Redis no job is taken, and the caller is told at once", async () => {
  const answer = await post(`${url}/jobs`, { name: "greet" }, { "X-Request-ID": "r1" });
  assert.equal(answer.status, 503);
  assert.deepEqual(await answer.json(), { message: "the queue cannot be reached", request_id: "r1" });
  assert.equal((await fetch(`${url}/metrics`)).status, 200);
});

test("what is no job is refused with what there is", async () => {
  for (const body of [{ name: "gret" }, { name: "constructor" }, {}]) {
    const answer = await post(`${url}/jobs`, body);
    assert.equal(answer.status, 400);
    assert.match((await answer.json()).message, /there are: greet/);
  }
  assert.equal((await post(`${url}/jobs`, null)).status, 400);
});

test("requests are measured by route", async () => {
  await fetch(`${url}/health`);
  await fetch(`${url}/nothing/here`);
  const text = await (await fetch(`${url}/metrics`)).text();
  assert.match(text, /http_request_duration_seconds_count\{method="GET",route="\/health",status="200"\}/);
  assert.match(text, /route="unmatched",status="404"/);
  assert.doesNotMatch(text, /nothing\/here/);
});

test("Hasura is heard when it shows the secret, and only then", async () => {
  const guess = { "X-Webhook-Secret": "guess" };
  assert.equal((await post(`${url}/hasura/actions/greet`, {}, guess)).status, 401);
  assert.equal((await post(`${url}/hasura/actions/greet`, {})).status, 503);
  const { url: without } = await start(NOBODY);
  assert.equal((await post(`${without}/hasura/actions/greet`, {})).status, 404);
});

test("a secret may come from a file, and Redis is needed", () => {
  const file = join(mkdtempSync(join(tmpdir(), "secret-")), "password");
  writeFileSync(file, "p/w\n");
  const settings = settingsFrom({ REDIS_URL: "redis://redis:6379/0", REDIS_PASSWORD_FILE: file });
  assert.equal(settings.redisUrl, "redis://:p%2Fw@redis:6379/0");
  assert.throws(() => settingsFrom({}), /REDIS_URL is not set/);
});

/** As much of Tempo as takes spans. */
async function tempo() {
  /** @type {any[]} */
  const received = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => {
      body += part;
    });
    request.on("end", () => {
      received.push({ path: request.url, body: JSON.parse(body) });
      response.end("{}");
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { received, endpoint: `http://127.0.0.1:${port}/`, close };
}
