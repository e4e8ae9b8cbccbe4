// The application, made but not yet listening.
import "reflect-metadata";
import { NestFactory } from "@nestjs/core";
import type { NestExpressApplication } from "@nestjs/platform-express";
import { AppModule } from "./app.module.js";
import { nestLogger } from "./logs.js";
import { observe } from "./observe.js";
import type { Settings } from "./settings.js";

export async function createApp(settings: Settings): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.of(settings), {
    logger: nestLogger,
    bufferLogs: false,
  });
  app.disable("x-powered-by");
  app.set("trust proxy", true); // only the proxy in front can reach the port
  app.useBodyParser("json", { limit: "1mb" }); // an Event Trigger sends whole rows
  app.use(observe);
  return app;
}
