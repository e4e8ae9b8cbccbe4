// The routes for the other services of the stack: the edge answers 404 for /jobs. The jobs themselves are in jobs.js.
import express, { Router } from "express";
import { refusal } from "./failures.js";
import { enqueue } from "./queue.js";

/** @param {import("./resources.js").Resources} resources */
export function api(resources) {
  const router = Router();

  // {"name": "greet", "data": {"name": "Ada"}}: taken, and worked off later.
  router.post("/jobs", express.json({ limit: "1mb" }), async (request, response) => {
    const id = await enqueue(resources, request.body?.name, request.body?.data);
    response.status(202).location(`/jobs/${id}`).json({ id });
  });

  router.get("/jobs/:id", async (request, response) => {
    if (resources.redis.status !== "ready") throw refusal(503, "the queue cannot be reached");
    // The state first: a job that ends in between has its result all the same, and no end comes without one.
    const state = await resources.queue.getJobState(request.params.id);
    const job = await resources.queue.getJob(request.params.id);
    if (!job) throw refusal(404, "there is no such job, or not any more");
    const { id, name, attemptsMade: attempts, returnvalue: result, failedReason: error } = job;
    response.json({ id, name, state, attempts, result, error });
  });

  return router;
}
