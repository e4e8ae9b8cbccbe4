// What Hasura calls: Actions and Event Triggers, each a job of that name. Without WEBHOOK_SECRET there are no such routes.
import { createHash, timingSafeEqual } from "node:crypto";
import express, { Router } from "express";
import { enqueue } from "./queue.js";

/**
 * @param {import("./settings.js").Settings} settings
 * @param {import("./resources.js").Resources} resources
 */
export function hasura({ webhookSecret }, resources) {
  const router = Router();
  if (!webhookSecret) return router;

  router.use("/hasura", checked(webhookSecret), express.json({ limit: "1mb" }));

  // An Action with the output type {id: String!}: it is answered when the job is taken, not when it is done.
  router.post("/hasura/actions/:job", async (request, response) => {
    const { job } = request.params;
    response.json({ id: await enqueue(resources, job, request.body?.input) });
  });

  // An Event Trigger: any 2xx ends it, anything else is tried again. The same event may come twice; its job is one.
  router.post("/hasura/events/:job", async (request, response) => {
    const { id, event, table } = request.body ?? {};
    await enqueue(resources, request.params.job, { op: event?.op, table, ...event?.data }, id);
    response.status(204).end();
  });

  return router;
}

/**
 * @param {string} secret
 * @returns {import("express").RequestHandler}
 */
function checked(secret) {
  const wanted = digest(secret);
  return (request, response, next) => {
    if (timingSafeEqual(digest(request.get("X-Webhook-Secret") ?? ""), wanted)) next();
    else response.status(401).json({ message: "wrong webhook secret" });
  };
}

/** @param {string} text */
function digest(text) {
  return createHash("sha256").update(text).digest();
}
