// What the service needs of others, opened once: a pool of Postgres connections, a Redis client.
import { setTimeout as sleep } from "node:timers/promises";
import { Injectable, type OnApplicationShutdown } from "@nestjs/common";
import pg from "pg";
import { createClient } from "redis";
import { log } from "./logs.js";
import { Settings } from "./settings.js";

const CHECK_MS = 2000;

/** Each is undefined when its URL is not set. Nothing waits for a connection: the service may start first. */
@Injectable()
export class Resources implements OnApplicationShutdown {
  readonly database: pg.Pool | undefined;
  readonly redis: ReturnType<typeof createClient> | undefined;

  constructor({ databaseUrl, redisUrl }: Settings) {
    if (databaseUrl) {
      this.database = new pg.Pool({ connectionString: databaseUrl, connectionTimeoutMillis: 5000 });
      // An idle connection that breaks is replaced when it is needed; unheard, the event would end the process.
      this.database.on("error", (error) => log("warning", "database", { code: codeOf(error) }));
    }
    if (redisUrl) {
      this.redis = createClient({ url: redisUrl });
      this.redis.on("error", (error) => log("warning", "redis", { code: codeOf(error) }));
      this.redis.connect().catch(() => {});
    }
  }

  /** "ok" or the kind of error for each: never its message, which may hold a password. */
  async check(): Promise<Record<string, string>> {
    const checks: Record<string, Promise<unknown>> = {};
    if (this.database) checks.database = this.database.query("select 1");
    if (this.redis) checks.redis = this.redis.ping();
    const outcomes = Object.entries(checks).map(
      async ([name, check]) => [name, await outcome(check)] as const,
    );
    return Object.fromEntries(await Promise.all(outcomes));
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.redis?.isOpen) this.redis.destroy();
    await this.database?.end();
  }
}

async function outcome(check: Promise<unknown>): Promise<string> {
  const patience = new AbortController();
  const late = sleep(CHECK_MS, "timeout", { signal: patience.signal }).catch(() => "");
  try {
    return await Promise.race([check.then(() => "ok", codeOf), late]);
  } finally {
    patience.abort();
  }
}

function codeOf(error: unknown): string {
  const { code, errors, name } = error as { code?: string; errors?: { code?: string }[]; name?: string };
  return code ?? errors?.[0]?.code ?? name ?? "error";
}
