// Serves until SIGTERM or SIGINT: then the requests in flight end, everything is closed, and the exit code is 0.
import type { Server } from "node:http";
import { createApp } from "./app.js";
import { configureLogs, log } from "./logs.js";
import { Settings } from "./settings.js";
import { startTracing } from "./tracing.js";

const settings = new Settings();
configureLogs(settings.name, settings.logLevel);
// It ends the process, as it should; the log has it too.
process.on("uncaughtExceptionMonitor", (error) => log("error", "crashed", { exception: error }));
const stopTracing = await startTracing(settings);
const app = await createApp(settings);
const server: Server = app.getHttpServer();
server.keepAliveTimeout = 75_000; // nginx keeps an idle connection for 60 s: it must be the one that closes
await app.listen(settings.port);
log("info", "listening", { port: settings.port });

process.once("SIGTERM", stop).once("SIGINT", stop);

async function stop(): Promise<void> {
  process.removeAllListeners("SIGTERM").removeAllListeners("SIGINT"); // a second signal ends it at once
  log("info", "stopping");
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const late = setTimeout(() => server.closeAllConnections(), settings.drainSeconds * 1000);
  await new Promise((resolve) => server.close(resolve));
  clearInterval(idle);
  clearTimeout(late);
  await Promise.allSettled([app.close(), stopTracing()]);
  process.exit(0);
}
