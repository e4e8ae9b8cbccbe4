// The jobs, by name: yours. Start here.
import { UnrecoverableError } from "bullmq";

/**
 * What a job is given: its data, and what the service has opened. What it returns is kept with it for a while.
 * An error has it tried again, later and later; an UnrecoverableError ends it. It may be run twice (the process may
 * be killed after the work and before that is noted), so a second time must do no harm.
 * @typedef {(job: import("bullmq").Job, resources: import("./resources.js").Resources) => Promise<unknown>} Work
 */

/** @type {Record<string, Work>} */
export const jobs = {
  async greet({ data }) {
    if (typeof data?.name !== "string") throw new UnrecoverableError("a name is needed");
    return { message: `Hello, ${data.name}.` };
  },
};
