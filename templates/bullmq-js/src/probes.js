// The routes for machines: does it live, can it work, what does it measure.
import { Router } from "express";
import { registry } from "./observe.js";

/** @param {import("./resources.js").Resources} resources */
export function probes(resources) {
  const router = Router();

  // Answers at once, whatever the state of others: restarting this service would not mend them.
  router.get("/health", (_, response) => {
    response.json({ status: "ok" });
  });

  router.get("/ready", async (_, response) => {
    const checks = await resources.check();
    const ready = Object.values(checks).every((outcome) => outcome === "ok");
    response.status(ready ? 200 : 503).json({ status: ready ? "ready" : "unready", checks });
  });

  router.get("/metrics", async (_, response) => {
    response.type(registry.contentType).send(await registry.metrics());
  });

  return router;
}
