// Ask the service on this machine whether it is well: exit 0 if it answers 200, 1 if not.
// `node healthcheck.js` asks /ready; `node healthcheck.js /health` asks only whether the process lives.
const path = process.argv[2] ?? "/ready";
try {
  const answer = await fetch(`http://127.0.0.1:${process.env.PORT}${path}`, {
    signal: AbortSignal.timeout(4000),
  });
  // Docker keeps what is printed: `docker inspect` shows it.
  console.log(answer.status, (await answer.text()).slice(0, 1024));
  process.exitCode = answer.status === 200 ? 0 : 1;
} catch (error) {
  console.log(`${path}: ${error instanceof Error ? (error.cause ?? error) : error}`);
  process.exitCode = 1;
}
