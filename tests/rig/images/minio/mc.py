"""A stand-in for mc: what the bucket job and the health check say to it; no policies, and only `private` access."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request


def _host(alias: str) -> urllib.parse.SplitResult:
    return urllib.parse.urlsplit(os.environ[f"MC_HOST_{alias}"])


def _make(target: str) -> int:
    alias, _, bucket = target.partition("/")
    host = _host(alias)
    settings = {
        "RCLONE_S3_PROVIDER": "Rclone",
        "RCLONE_S3_ENDPOINT": f"{host.scheme}://{host.hostname}:{host.port}",
        "RCLONE_S3_ACCESS_KEY_ID": host.username,
        "RCLONE_S3_SECRET_ACCESS_KEY": host.password,
    }
    command = ["rclone", "--config=/dev/null", "mkdir", f":s3:{bucket}"]
    return subprocess.run(command, env={**os.environ, **settings}, check=False).returncode


def _add_user(alias: str, name: str, secret: str) -> int:
    host = _host(alias)
    body = {"root": host.username, "password": host.password, "name": name, "secret": secret}
    address = f"{host.scheme}://{host.hostname}:{host.port}/minio/standin/users"
    request = urllib.request.Request(address, json.dumps(body).encode(), {"content-type": "application/json"})  # noqa: S310 (our own)
    urllib.request.urlopen(request, timeout=20)  # noqa: S310 (our own)
    return 0


def main(words: list[str]) -> int:
    match words:
        case ["mb", "--ignore-existing", target]:
            return _make(target)
        case ["admin", "user", "add", alias, name]:
            return _add_user(alias, name, sys.stdin.readline().rstrip("\n"))
        case ["anonymous", "set", "private", _] | ["admin", "policy", "create" | "attach" | "detach", *_]:
            return 0
    print(f"mc stand-in: cannot {' '.join(words[:3])}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
