// Serving until SIGTERM or SIGINT: then the requests in flight end, everything is closed, and the exit code is 0.
import { createServer } from "node:http";
import { createApp } from "./app.js";
import { configureLogs, log } from "./logs.js";
import { Resources } from "./resources.js";
import { startTracing } from "./tracing.js";

/** @param {import("./settings.js").Settings} settings */
export async function serve(settings) {
  configureLogs(settings.name, settings.logLevel);
  // It ends the process, as it should; the log has it too.
  process.on("uncaughtExceptionMonitor", (error) => log.error("crashed", { exception: error }));
  const stopTracing = await startTracing(settings);
  const resources = new Resources(settings);
  const server = createServer(createApp(settings, resources));
  server.keepAliveTimeout = 75_000; // nginx keeps an idle connection for 60 s: it must be the one that closes
  server.listen(settings.port, () => log.info("listening", { port: settings.port }));

  const stop = async () => {
    process.removeAllListeners("SIGTERM").removeAllListeners("SIGINT"); // a second signal ends it at once
    log.info("stopping");
    await drained(server, settings.drainSeconds);
    await Promise.allSettled([resources.close(), stopTracing()]);
    process.exit(0);
  };
  process.once("SIGTERM", stop).once("SIGINT", stop);
}

/**
 * @param {import("node:http").Server} server
 * @param {number} seconds
 */
async function drained(server, seconds) {
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const late = setTimeout(() => server.closeAllConnections(), seconds * 1000);
  await new Promise((resolve) => server.close(resolve));
  clearInterval(idle);
  clearTimeout(late);
}
