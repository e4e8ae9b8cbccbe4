// Into the queue: which jobs are taken, and what becomes of them.
import { Queue } from "bullmq";
import { BullMQOtel } from "bullmq-otel";
import { refusal } from "./failures.js";
import { jobs } from "./jobs.js";
import { log } from "./logs.js";

const HOUR = 3600;

/** The span of a job belongs to the trace of the request that asked for it; without tracing this does nothing. */
export const telemetry = new BullMQOtel({ tracerName: "jobs" });

/** @type {import("bullmq").DefaultJobOptions} */
const OPTIONS = {
  attempts: 5,
  backoff: { type: "exponential", delay: 1000, jitter: 0.5 },
  // What is over is kept for looking at, and not for ever.
  removeOnComplete: { age: HOUR, count: 1000 },
  removeOnFail: { age: 7 * 24 * HOUR, count: 10_000 },
};

/**
 * @param {import("./settings.js").Settings} settings
 * @param {import("ioredis").Redis} connection
 */
export function openQueue({ queueName, redisPrefix }, connection) {
  const queue = new Queue(queueName, {
    connection,
    prefix: redisPrefix,
    defaultJobOptions: OPTIONS,
    telemetry,
  });
  queue.on("error", () => {}); // told by the connection
  return queue;
}

/**
 * Put a job into the queue; returns its id. With an id of its own, the same job is taken once.
 * @param {import("./resources.js").Resources} resources
 * @param {unknown} name
 * @param {unknown} data
 * @param {string} [jobId]
 */
export async function enqueue({ queue, redis }, name, data, jobId) {
  if (typeof name !== "string" || !Object.hasOwn(jobs, name)) {
    throw refusal(400, `there is no such job; there are: ${Object.keys(jobs).join(", ")}`);
  }
  // BullMQ would wait for Redis as long as it takes; the caller shall know now.
  if (redis.status !== "ready") throw refusal(503, "the queue cannot be reached");
  const { id } = await queue.add(name, data ?? {}, jobId ? { jobId } : {});
  log.info("job taken", { job: name, job_id: id });
  return id;
}
