// The routes for machines: does it live, can it work, what does it measure.
import { Controller, Get, Header, Res } from "@nestjs/common";
import type { Response } from "express";
import { registry } from "./observe.js";
import { Resources } from "./resources.js";

@Controller()
export class ProbesController {
  constructor(private readonly resources: Resources) {}

  /** Answers at once, whatever the state of others: restarting this service would not mend them. */
  @Get("/health")
  health() {
    return { status: "ok" };
  }

  @Get("/ready")
  async ready(@Res({ passthrough: true }) response: Response) {
    const checks = await this.resources.check();
    const ready = Object.values(checks).every((outcome) => outcome === "ok");
    response.status(ready ? 200 : 503);
    return { status: ready ? "ready" : "unready", checks };
  }

  @Get("/metrics")
  @Header("Content-Type", registry.contentType)
  metrics() {
    return registry.metrics();
  }
}
