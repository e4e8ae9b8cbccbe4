// Logs: one JSON object a line on standard output, with the id of the request that it belongs to.
import { AsyncLocalStorage } from "node:async_hooks";

const LEVELS = ["debug", "info", "warning", "error"];

/** What every line written during a request says of it. */
export const current = /** @type {AsyncLocalStorage<Record<string, string>>} */ (new AsyncLocalStorage());

let service = "";
let threshold = 1;
/** @type {(line: string) => void} */
let write = (line) => {
  process.stdout.write(line);
};

/**
 * Say whose logs these are and from which level on they are written; `to` receives the lines instead of stdout.
 * @param {string} name
 * @param {string} level
 * @param {(line: string) => void} [to]
 */
export function configureLogs(name, level, to = write) {
  if (!LEVELS.includes(level)) throw new Error(`LOG_LEVEL must be one of ${LEVELS.join(", ")}, not ${level}`);
  service = name;
  threshold = LEVELS.indexOf(level);
  write = to;
}

/**
 * @param {number} rank
 * @returns {(message: string, fields?: Record<string, unknown>) => void}
 */
function at(rank) {
  return (message, fields = {}) => {
    if (rank < threshold) return;
    const time = new Date().toISOString();
    const line = { time, level: LEVELS[rank], service, message, ...current.getStore(), ...fields };
    write(`${JSON.stringify(line, (_, value) => (value instanceof Error ? value.stack : value))}\n`);
  };
}

export const log = { debug: at(0), info: at(1), warning: at(2), error: at(3) };
