// What a caller is told when something fails: a refusal in its own words, of everything else nothing but that.
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from "@nestjs/common";
import type { Response } from "express";
import { current, log } from "./logs.js";

@Catch()
export class Failures implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const refusal = told(error);
    if (!refusal) log("error", "request failed", { exception: error });
    if (response.headersSent) {
      response.destroy(); // half an answer has gone out: the connection must be cut
      return;
    }
    const { status, message } = refusal ?? { status: 500, message: "Internal Server Error" };
    response.status(status).json({ message, request_id: current.getStore()?.request_id });
  }
}

interface Refusal {
  status: number;
  message: unknown;
}

function told(error: unknown): Refusal | undefined {
  if (error instanceof HttpException) {
    const answer = error.getResponse();
    // What a ValidationPipe found is a list of messages.
    const message =
      typeof answer === "string" ? answer : "message" in answer ? answer.message : error.message;
    return { status: error.getStatus(), message };
  }
  // Express marks what may be told: a body that is too large, say.
  const { expose, status, message } = (error ?? {}) as Partial<Refusal> & { expose?: boolean };
  return expose && status ? { status, message } : undefined;
}
