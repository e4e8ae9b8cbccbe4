"""A stand-in for MinIO: its health, users and a console's page before rclone's S3 server, which checks signatures."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from aiohttp import ClientSession, web

DATA = Path("/data")
USERS = DATA / ".standin-users.json"
UPSTREAM = "http://127.0.0.1:9999"
SHORTEST_PASSWORD = 8
DROPPED = ("transfer-encoding", "connection", "keep-alive", "x-amz-checksum-")


def _setting(name: str) -> str:
    file = os.environ.get(f"{name}_FILE")
    return Path(file).read_text(encoding="utf-8").strip() if file else os.environ.get(name, "")


ROOT = (_setting("MINIO_ROOT_USER"), _setting("MINIO_ROOT_PASSWORD"))


class Store:
    """rclone's server, started again when a user is added: it takes its users as arguments."""

    def __init__(self) -> None:
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        if self.process:
            self.process.terminate()
            await self.process.wait()
        users = json.loads(USERS.read_text(encoding="utf-8")) if USERS.is_file() else {}
        keys = [f"--auth-key={name},{password}" for name, password in {ROOT[0]: ROOT[1], **users}.items()]
        self.process = await asyncio.create_subprocess_exec(
            "rclone", "serve", "s3", str(DATA), "--addr=127.0.0.1:9999", "--dir-cache-time=0s", "--config=/dev/null",
            "--cache-dir=/tmp/rclone", "--vfs-cache-mode=writes", "--vfs-write-back=0s",
            "--exclude=/.standin-users.json", *keys,
        )  # fmt: skip
        for _ in range(200):
            if await self.is_up():
                return
            await asyncio.sleep(0.05)

    async def is_up(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", 9999)
        except OSError:
            return False
        writer.close()
        return True

    async def health(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if await self.is_up() else 503)

    async def add_user(self, request: web.Request) -> web.Response:
        body = await request.json()
        if (body["root"], body["password"]) != ROOT:
            return web.Response(status=403)
        users = json.loads(USERS.read_text(encoding="utf-8")) if USERS.is_file() else {}
        if users.get(body["name"]) != body["secret"]:
            USERS.write_text(json.dumps({**users, body["name"]: body["secret"]}), encoding="utf-8")
            await self.start()
        return web.Response()

    async def forward(self, request: web.Request) -> web.StreamResponse:
        # The Host header is part of the signature: it stays as it is.
        async with (
            ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, UPSTREAM + request.raw_path, headers=request.headers, data=request.content,
                allow_redirects=False, skip_auto_headers=["Content-Type", "User-Agent"],
            ) as answer,
        ):  # fmt: skip
            # rclone's checksum of a whole object does not fit what boto3 reads of a part.
            headers = {name: value for name, value in answer.headers.items() if not name.lower().startswith(DROPPED)}
            return web.Response(status=answer.status, headers=headers, body=await answer.read())


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(text="# TYPE minio_cluster_nodes_online_total gauge\nminio_cluster_nodes_online_total 1\n")


async def _console(_: web.Request) -> web.Response:
    return web.Response(text="<title>MinIO Console</title>stand-in", content_type="text/html")


async def _serve() -> None:
    store = Store()
    await store.start()
    api, console = web.Application(client_max_size=2**30), web.Application()
    api.add_routes(
        [
            web.get("/minio/health/{kind}", store.health),
            web.get("/minio/v2/metrics/cluster", _metrics),
            web.post("/minio/standin/users", store.add_user),
            web.route("*", "/{path:.*}", store.forward),
        ]
    )
    console.add_routes([web.get("/{path:.*}", _console)])
    for application, port in ((api, 9000), (console, 9001)):
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, port=port).start()
    await asyncio.Event().wait()


def main() -> int:
    if sys.argv[1:2] != ["server"]:
        print("usage: server DIR", file=sys.stderr)
        return 1
    if len(ROOT[1]) < SHORTEST_PASSWORD:
        print("FATAL Unable to validate credentials inherited from the shell environment", file=sys.stderr)
        return 1
    asyncio.run(_serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
