// The application: what is around each request, and which routes there are.
import express from "express";
import { api } from "./api.js";
import { failed, unmatched } from "./failures.js";
import { hasura } from "./hasura.js";
import { observe } from "./observe.js";
import { probes } from "./probes.js";

/**
 * @param {import("./settings.js").Settings} settings
 * @param {import("./resources.js").Resources} resources
 */
export function createApp(settings, resources) {
  const app = express();
  app.disable("x-powered-by");
  app.set("trust proxy", true); // only the proxy in front can reach the port
  app.use(observe, probes(resources), hasura(settings), api(settings, resources), unmatched, failed);
  return app;
}
