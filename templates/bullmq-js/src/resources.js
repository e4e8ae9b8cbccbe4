// What the service needs of others, opened once: the queue in Redis, and a pool of Postgres connections.
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import pg from "pg";
import { Gauge } from "prom-client";
import { log } from "./logs.js";
import { registry } from "./observe.js";
import { openQueue } from "./queue.js";

const CHECK_MS = 2000;

/** Nothing waits for a connection: the service may start first. */
export class Resources {
  /** @param {import("./settings.js").Settings} settings */
  constructor(settings) {
    const { databaseUrl, redisUrl } = settings;
    /** Undefined when its URL is not set. */
    this.database = databaseUrl
      ? new pg.Pool({ connectionString: databaseUrl, connectionTimeoutMillis: 5000 })
      : undefined;
    // An idle connection that breaks is replaced when it is needed; unheard, the event would end the process.
    this.database?.on("error", (error) => log.warning("database", { code: codeOf(error) }));
    // Whoever asks it is a caller who waits: while Redis is away, fail now.
    this.redis = new Redis(redisUrl, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      commandTimeout: 5000,
    });
    this.redis.on("error", (error) => log.warning("redis", { code: codeOf(error) }));
    this.queue = openQueue(settings, this.redis);
    measure(this);
  }

  /**
   * "ok" or the kind of error for each: never its message, which may hold a password.
   * @returns {Promise<Record<string, string>>}
   */
  async check() {
    /** @type {Record<string, Promise<unknown>>} */
    const checks = { redis: this.queue.count() };
    if (this.database) checks.database = this.database.query("select 1");
    const outcomes = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await outcome(check)]),
    );
    return Object.fromEntries(outcomes);
  }

  async close() {
    this.redis.disconnect();
    await this.database?.end();
  }
}

/**
 * How many jobs are where, asked when Prometheus asks. Every replica tells the same of the one queue.
 * @param {Resources} resources
 */
function measure({ queue, redis }) {
  registry.removeSingleMetric("queue_jobs");
  new Gauge({
    name: "queue_jobs",
    help: "Jobs in the queue, by state; one number for all replicas.",
    labelNames: ["state"],
    registers: [registry],
    async collect() {
      this.reset();
      if (redis.status !== "ready") return;
      const counts = await queue.getJobCounts("wait", "active", "delayed", "failed").catch(() => ({}));
      for (const [state, count] of Object.entries(counts)) this.set({ state }, count);
    },
  });
}

/** @param {Promise<unknown>} check */
async function outcome(check) {
  const patience = new AbortController();
  const late = sleep(CHECK_MS, "timeout", { signal: patience.signal }).catch(() => "");
  try {
    return await Promise.race([check.then(() => "ok", codeOf), late]);
  } finally {
    patience.abort();
  }
}

/** @param {any} error */
export function codeOf(error) {
  return String(error?.code ?? error?.errors?.[0]?.code ?? error?.name ?? "error");
}
