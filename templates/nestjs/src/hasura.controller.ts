// What Hasura calls: Actions and Event Triggers. Without WEBHOOK_SECRET there are no such routes.
import { createHash, timingSafeEqual } from "node:crypto";
import {
  BadRequestException,
  Body,
  type CanActivate,
  Controller,
  type ExecutionContext,
  HttpCode,
  Injectable,
  NotFoundException,
  Param,
  Post,
  UnauthorizedException,
  UseGuards,
} from "@nestjs/common";
import type { Request } from "express";
import { log } from "./logs.js";
import { Settings } from "./settings.js";

interface ActionCall<Input> {
  action: { name: string };
  input?: Partial<Input>;
  session_variables: Record<string, string>;
}

interface Event {
  id: string;
  table?: { schema: string; name: string };
  event?: { op: "INSERT" | "UPDATE" | "DELETE" | "MANUAL"; data: { old: unknown; new: unknown } };
}

@Injectable()
export class WebhookSecret implements CanActivate {
  constructor(private readonly settings: Settings) {}

  canActivate(context: ExecutionContext): boolean {
    const { webhookSecret } = this.settings;
    if (!webhookSecret) throw new NotFoundException();
    const shown = context.switchToHttp().getRequest<Request>().get("X-Webhook-Secret") ?? "";
    if (!timingSafeEqual(digest(shown), digest(webhookSecret)))
      throw new UnauthorizedException("wrong webhook secret");
    return true;
  }
}

@Controller("/hasura")
@UseGuards(WebhookSecret)
export class HasuraController {
  /** An Action: answer with the fields of its output type, or with 4xx and {message} to refuse. */
  @Post("/actions/greet")
  @HttpCode(200)
  greet(@Body() { input }: ActionCall<{ name: string }>) {
    if (!input?.name) throw new BadRequestException("a name is needed");
    return { message: `Hello, ${input.name}.` };
  }

  /** An Event Trigger: any 2xx ends it, anything else is tried again. The same event may come twice: look at its id. */
  @Post("/events/:trigger")
  @HttpCode(204)
  event(@Param("trigger") trigger: string, @Body() { id, event, table }: Event): void {
    log("info", "event", { trigger, event_id: id, op: event?.op, table: table?.name });
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
