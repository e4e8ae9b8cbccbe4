// The application: what is around each request, and which routes there are.
import express from "express";
import { api } from "./api.js";
import { hasura } from "./hasura.js";
import { log } from "./logs.js";
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

/**
 * @param {import("express").Request} _
 * @param {import("express").Response} response
 */
function unmatched(_, response) {
  response.status(404).json({ detail: "Not Found", request_id: response.locals.requestId });
}

/**
 * @param {any} error
 * @param {import("express").Request} _
 * @param {import("express").Response} response
 * @param {import("express").NextFunction} next
 */
function failed(error, _, response, next) {
  const status = error.status >= 400 && error.status < 500 ? error.status : 500;
  if (status === 500) log.error("request failed", { exception: error });
  if (response.headersSent) {
    next(error); // half an answer has gone out: the connection must be cut
    return;
  }
  const detail = status === 500 ? "Internal Server Error" : error.message;
  response.status(status).json({ detail, request_id: response.locals.requestId });
}
