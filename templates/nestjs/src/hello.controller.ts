// The routes for people: yours. Start here.
import { Controller, Get, Query } from "@nestjs/common";
import { Settings } from "./settings.js";

@Controller()
export class HelloController {
  constructor(private readonly settings: Settings) {}

  @Get("/")
  greet(@Query("name") name = "world") {
    return { service: this.settings.name, message: `Hello, ${name}.` };
  }
}
