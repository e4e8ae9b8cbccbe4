// `node watch.js ARGUMENTS` runs `node ARGUMENTS`, and anew whenever a file in src/ has changed. For development only.
// It looks at the files' times: events get lost between a host and its containers, and where an editor replaces files.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

let ending = false;
let child = start();
for (const signal of /** @type {NodeJS.Signals[]} */ (["SIGTERM", "SIGINT"])) {
  process.on(signal, () => {
    ending = true;
    child.kill(signal);
    if (child.exitCode !== null) process.exit(0);
  });
}

let seen = times();
for (;;) {
  await sleep(300);
  const now = times();
  if (now === seen || ending) continue;
  seen = now;
  if (child.exitCode === null && child.kill()) await once(child, "exit");
  child = start();
}

function start() {
  const started = spawn(process.execPath, process.argv.slice(2), { stdio: "inherit" });
  // One that failed waits for the change that mends it.
  started.once("exit", (code) => ending && process.exit(code ?? 1));
  return started;
}

/** The files and when each was changed, as one text. */
function times() {
  return readdirSync("src", { recursive: true, encoding: "utf8" })
    .map((name) => `${name} ${statSync(`src/${name}`, { throwIfNoEntry: false })?.mtimeMs}`)
    .join();
}
