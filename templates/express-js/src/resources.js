// What the service needs of others, opened once: a pool of Postgres connections, a Redis client.
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { createClient } from "redis";
import { log } from "./logs.js";

const CHECK_MS = 2000;

/** Each is undefined when its URL is not set. Nothing waits for a connection: the service may start first. */
export class Resources {
  /** @param {import("./settings.js").Settings} settings */
  constructor({ databaseUrl, redisUrl }) {
    this.database = databaseUrl
      ? new pg.Pool({ connectionString: databaseUrl, connectionTimeoutMillis: 5000 })
      : undefined;
    // An idle connection that breaks is replaced when it is needed; unheard, the event would end the process.
    this.database?.on("error", (error) => log.warning("database", { code: codeOf(error) }));
    this.redis = redisUrl ? createClient({ url: redisUrl }) : undefined;
    this.redis?.on("error", (error) => log.warning("redis", { code: codeOf(error) }));
    this.redis?.connect().catch(() => {});
  }

  /**
   * "ok" or the kind of error for each: never its message, which may hold a password.
   * @returns {Promise<Record<string, string>>}
   */
  async check() {
    /** @type {Record<string, Promise<unknown>>} */
    const checks = {};
    if (this.database) checks.database = this.database.query("select 1");
    if (this.redis) checks.redis = this.redis.ping();
    const outcomes = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await outcome(check)]),
    );
    return Object.fromEntries(outcomes);
  }

  async close() {
    if (this.redis?.isOpen) this.redis.destroy();
    await this.database?.end();
  }
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
function codeOf(error) {
  return String(error?.code ?? error?.errors?.[0]?.code ?? error?.name ?? "error");
}
