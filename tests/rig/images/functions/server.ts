// A stand-in for the server of nhost/functions: every file under functions/ answers at its path, with its default export.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import express from "express";

const root = join(process.cwd(), process.env.FUNCTIONS_RELATIVE_PATH ?? "./functions");
const app = express();
app.use(express.json({ limit: "6MB" }));
app.disable("x-powered-by");
app.get("/healthz", (_, response) => { response.status(200).send("ok"); });

function files(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith("_") || entry.name === "node_modules") return [];
    const path = folder ? `${folder}/${entry.name}` : entry.name;
    return entry.isDirectory() ? files(path) : /\.(js|ts)$/.test(entry.name) ? [path] : [];
  });
}

async function main(): Promise<void> {
  for (const file of files("")) {
    const found = await import(join(root, file));
    const handler = found.default?.default ?? found.default;
    if (handler) app.all(`/${file}`.replace(/\.(ts|js)$/, "").replace(/\/index$/, "/"), handler);
  }
  app.listen(3000, () => console.log("Listening on port 3000"));
}

main();
