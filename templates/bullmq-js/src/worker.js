// Out of the queue: each job is worked off, measured and told of in the log.
import { trace } from "@opentelemetry/api";
import { UnrecoverableError, Worker } from "bullmq";
import { Redis } from "ioredis";
import { Gauge, Histogram } from "prom-client";
import { jobs } from "./jobs.js";
import { current, log } from "./logs.js";
import { registry } from "./observe.js";
import { telemetry } from "./queue.js";
import { codeOf } from "./resources.js";

const duration = new Histogram({
  name: "job_duration_seconds",
  help: "How long jobs took, each attempt by itself.",
  labelNames: ["job", "outcome"],
  buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300],
  registers: [registry],
});
const active = new Gauge({
  name: "jobs_active",
  help: "Jobs that this process works on now.",
  registers: [registry],
});

/**
 * Work jobs off until it is stopped. It waits for Redis as long as it takes.
 * @param {import("./settings.js").Settings} settings
 * @param {import("./resources.js").Resources} resources
 */
export function startWorker({ redisUrl, queueName, redisPrefix, concurrency }, resources) {
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
  connection.on("error", (error) => log.warning("redis", { code: codeOf(error) }));
  const worker = new Worker(queueName, (job) => observed(job, resources), {
    connection,
    prefix: redisPrefix,
    concurrency,
    telemetry,
  });
  worker.on("error", (error) => log.warning("worker", { code: codeOf(error) }));
  worker.on("stalled", (id) => log.warning("a job's worker was lost: it is run again", { job_id: id }));

  /**
   * Take no more jobs, and wait for those in hand; after that time they are left for another worker.
   * @param {number} seconds
   */
  return async function stop(seconds) {
    const late = new Promise((resolve) => setTimeout(resolve, seconds * 1000).unref());
    await Promise.race([worker.close(), late]);
    connection.disconnect();
  };
}

/**
 * @param {import("bullmq").Job} job
 * @param {import("./resources.js").Resources} resources
 */
async function observed(job, resources) {
  const traceId = trace.getActiveSpan()?.spanContext().traceId;
  const fields = { job: job.name, job_id: job.id ?? "", ...(traceId && { trace_id: traceId }) };
  const end = duration.startTimer({ job: Object.hasOwn(jobs, job.name) ? job.name : "unknown" });
  active.inc();
  return current.run(fields, async () => {
    try {
      const result = await work(job, resources);
      log.info("job done", { attempt: job.attemptsMade + 1, duration_ms: ms(end({ outcome: "done" })) });
      return result;
    } catch (error) {
      const seconds = end({ outcome: "failed" });
      const last = error instanceof UnrecoverableError || job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
      const what = last ? "job failed" : "job will be tried again";
      log[last ? "error" : "warning"](what, {
        attempt: job.attemptsMade + 1,
        duration_ms: ms(seconds),
        exception: error,
      });
      throw error;
    } finally {
      active.dec();
    }
  });
}

/**
 * @param {import("bullmq").Job} job
 * @param {import("./resources.js").Resources} resources
 */
async function work(job, resources) {
  // A job of an older or newer version of the service, perhaps.
  const known = Object.hasOwn(jobs, job.name) ? jobs[job.name] : undefined;
  if (!known) throw new UnrecoverableError(`there is no job ${job.name}`);
  return known(job, resources);
}

/** @param {number} seconds */
function ms(seconds) {
  return Math.round(seconds * 1e4) / 10;
}
