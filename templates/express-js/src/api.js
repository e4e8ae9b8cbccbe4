// The routes for people: yours. Start here.
import { Router } from "express";

/**
 * @param {import("./settings.js").Settings} settings
 * @param {import("./resources.js").Resources} _resources
 */
export function api({ name }, _resources) {
  const router = Router();

  router.get("/", (request, response) => {
    response.json({ service: name, message: `Hello, ${request.query.name ?? "world"}.` });
  });

  return router;
}
