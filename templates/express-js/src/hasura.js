// What Hasura calls: Actions and Event Triggers. Without WEBHOOK_SECRET there are no such routes.
import { createHash, timingSafeEqual } from "node:crypto";
import express, { Router } from "express";
import { refusal } from "./failures.js";
import { log } from "./logs.js";

/** @param {import("./settings.js").Settings} settings */
export function hasura({ webhookSecret }) {
  const router = Router();
  if (!webhookSecret) return router;

  router.use("/hasura", checked(webhookSecret), express.json({ limit: "1mb" }));

  // An Action: answer with the fields of its output type, or refuse: Hasura tells its caller the message.
  router.post("/hasura/actions/greet", (request, response) => {
    const { input } = request.body ?? {};
    if (typeof input?.name !== "string" || !input.name) throw refusal(400, "a name is needed");
    response.json({ message: `Hello, ${input.name}.` });
  });

  // An Event Trigger: any 2xx ends it, anything else is tried again. The same event may come twice: look at its id.
  router.post("/hasura/events/:trigger", (request, response) => {
    const { id, event, table } = request.body ?? {};
    log.info("event", { trigger: request.params.trigger, event_id: id, op: event?.op, table: table?.name });
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
