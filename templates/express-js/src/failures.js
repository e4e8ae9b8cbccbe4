// What a caller is told when something fails: a refusal in its own words, of everything else nothing but that.
import { log } from "./logs.js";

/**
 * An error that the caller is told of.
 * @param {number} status
 * @param {string} message
 */
export function refusal(status, message) {
  return Object.assign(new Error(message), { status, expose: true });
}

/**
 * @param {import("express").Request} _
 * @param {import("express").Response} response
 */
export function unmatched(_, response) {
  response.status(404).json({ message: "Not Found", request_id: response.locals.requestId });
}

/**
 * @param {any} error
 * @param {import("express").Request} _
 * @param {import("express").Response} response
 * @param {import("express").NextFunction} next
 */
export function failed(error, _, response, next) {
  // Express and its parsers mark what may be told; any other error may hold anything, also a status of somebody else's.
  const told = error?.expose === true;
  if (!told) log.error("request failed", { exception: error });
  if (response.headersSent) {
    next(error); // half an answer has gone out: the connection must be cut
    return;
  }
  const status = told ? error.status : 500;
  const message = told ? error.message : "Internal Server Error";
  response.status(status).json({ message, request_id: response.locals.requestId });
}
