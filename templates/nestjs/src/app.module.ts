// The application: what there is, and what is put together.
import { type DynamicModule, Module } from "@nestjs/common";
import { APP_FILTER } from "@nestjs/core";
import { Failures } from "./failures.js";
import { HasuraController, WebhookSecret } from "./hasura.controller.js";
import { HelloController } from "./hello.controller.js";
import { ProbesController } from "./probes.controller.js";
import { Resources } from "./resources.js";
import { Settings } from "./settings.js";

@Module({})
export class AppModule {
  static of(settings: Settings): DynamicModule {
    return {
      module: AppModule,
      controllers: [ProbesController, HasuraController, HelloController],
      providers: [
        { provide: Settings, useValue: settings },
        { provide: APP_FILTER, useClass: Failures },
        Resources,
        WebhookSecret,
      ],
    };
  }
}
