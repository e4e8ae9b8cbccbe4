// The package lists its symbolic links in a file, because npm drops them from archives.
const fs = require("fs"), path = require("path");
for (const link of JSON.parse(fs.readFileSync("native/pg-symlinks.json"))) {
  fs.mkdirSync(path.dirname(link.target), { recursive: true });
  if (!fs.existsSync(link.target)) fs.symlinkSync(path.relative(path.dirname(link.target), link.source), link.target);
}
