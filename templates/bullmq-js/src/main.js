// `node src/main.js` serves, as the environment says.
import { serve } from "./server.js";
import { settingsFrom } from "./settings.js";

await serve(settingsFrom());
