// What a caller is told when code fails: never the details, which are in the log.
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from "@nestjs/common";
import type { Response } from "express";
import { current, log } from "./logs.js";

@Catch()
export class Failures implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const expected = error instanceof HttpException;
    if (!expected) log("error", "request failed", { exception: error });
    if (response.headersSent) {
      response.destroy(); // half an answer has gone out: the connection must be cut
      return;
    }
    const status = expected ? error.getStatus() : 500;
    const message = expected ? error.message : "Internal Server Error";
    response.status(status).json({ message, request_id: current.getStore()?.request_id });
  }
}
