// Logs: one JSON object a line on standard output, with the id of the request that it belongs to.
import { AsyncLocalStorage } from "node:async_hooks";
import type { LoggerService } from "@nestjs/common";

const LEVELS = ["debug", "info", "warning", "error"] as const;
type Level = (typeof LEVELS)[number];
type Fields = Record<string, unknown>;

/** What every line written during a request says of it. */
export const current = new AsyncLocalStorage<Record<string, string>>();

let service = "";
let threshold = 1;
let write = (line: string): void => {
  process.stdout.write(line);
};

/** Say whose logs these are and from which level on they are written; `to` receives the lines instead of stdout. */
export function configureLogs(name: string, level: string, to = write): void {
  threshold = LEVELS.indexOf(level as Level);
  if (threshold < 0) throw new Error(`LOG_LEVEL must be one of ${LEVELS.join(", ")}, not ${level}`);
  service = name;
  write = to;
}

export function log(level: Level, message: string, fields: Fields = {}): void {
  if (LEVELS.indexOf(level) < threshold) return;
  const time = new Date().toISOString();
  const line = { time, level, service, message, ...current.getStore(), ...fields };
  write(`${JSON.stringify(line, (_, value) => (value instanceof Error ? value.stack : value))}\n`);
}

/** Nest's own messages, and those of its `Logger`: what it says of starting is for debugging. */
export const nestLogger: LoggerService = {
  log: (message, context) => log("debug", String(message), { logger: context }),
  debug: (message, context) => log("debug", String(message), { logger: context }),
  warn: (message, context) => log("warning", String(message), { logger: context }),
  error: (message, ...rest) => log("error", String(message), { logger: rest.at(-1), exception: rest.at(-2) }),
};
