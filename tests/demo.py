"""``make demo``: the quickstart recipe on the local engine, and proof that it works.

``python tests/demo.py up NAME`` or ``down NAME``; the project's folder is ``.demo/NAME``.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT / "tests"))

from nself_sdk.cli import output  # noqa: E402 - the path is set first
from nself_sdk.deploy import Deployment  # noqa: E402
from nself_sdk.docker import engine  # noqa: E402
from nself_sdk.errors import NselfError  # noqa: E402
from nself_sdk.store import ProjectFolder  # noqa: E402
from nself_sdk.testing.edge import Edge  # noqa: E402


def main() -> int:
    """Bring the demo up or down; its exit code."""
    command, name = sys.argv[1:3]
    folder = CHECKOUT / ".demo" / name
    try:
        if command == "down":
            return subprocess.call([sys.executable, "-m", "nself_sdk", "-C", str(folder), "down"])
        up(folder)
    except NselfError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def up(folder: Path) -> None:
    """Everything, each step with its time."""
    begin = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(CHECKOUT / "recipes" / "quickstart.py", folder / "stack.py")
    with timed("a Docker engine"):
        engine.repair(say)
    choose_ports(folder)
    project_folder = ProjectFolder(folder)
    environment = project_folder.environment("dev")
    project = project_folder.project(environment)
    tell = output.Live()
    deployment = Deployment(project, environment, project_folder, tell=tell)
    with timed("images"):
        ensure_images(deployment)
    with deployment:
        with tell:
            report = deployment.deploy()
        output.report(deployment, report)
        with timed("proof"):
            prove(deployment)
    command = f".venv/bin/nself-sdk -C {folder.relative_to(CHECKOUT)}"
    print(f"\n{time.monotonic() - begin:.1f} s in all. Look around: {command} status")
    print(f"Stop it with: make demo-down{'' if folder.name == 'demo' else f' NAME={folder.name}'}")


def choose_ports(folder: Path) -> None:
    """443 and 80 for the demo itself where they are free, others otherwise; kept for the next run.

    A demo under another name never takes the usual ones: two that start at once would both find them free.
    """
    settings = folder / ".env"
    if not settings.exists():
        usual = folder.name == "demo"
        https, http = (port if usual and is_free(port) else free_port() for port in (443, 80))
        settings.write_text(f"NGINX_SSL_PORT={https}\nNGINX_PORT={http}\n", encoding="utf-8")


def is_free(port: int) -> bool:
    """Whether nobody listens on that port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ensure_images(deployment: Deployment) -> None:
    """Where no registry answers, the images are built from packages; elsewhere the ordinary ones are pulled."""
    from rig.images import describe, ensure_images
    from rig.needed import needed

    print(describe(ensure_images(needed(deployment.file), say)))


def prove(deployment: Deployment) -> None:
    """One GraphQL query answered from Postgres through Nginx, and one call to the custom service."""
    environment = deployment.environment
    edge = Edge(environment.https_port)
    secret = deployment.stack().secrets["HASURA_GRAPHQL_ADMIN_SECRET"]

    def hasura(path: str, body: object) -> object:
        headers = {"X-Hasura-Admin-Secret": secret}
        return edge.request("POST", environment.host("api"), path, json=body, headers=headers).json()

    hasura("/v2/query", {"type": "run_sql", "args": {"source": "default", "sql": SQL}})
    table = {"source": "default", "table": {"schema": "public", "name": "greetings"}}
    hasura("/v1/metadata", {"type": "pg_track_table", "args": table})
    query = "{ greetings { language text } }"
    answer = hasura("/v1/graphql", {"query": query})
    print(f"\nPOST {environment.url('api', '/v1/graphql')} {query}\n  {json.dumps(answer)}")
    hello = edge.request("GET", environment.host("hello"), "/ready")
    print(f"GET {environment.url('hello', '/ready')}\n  {hello.status} {hello.text}")
    if "Hallo" not in json.dumps(answer) or hello.status != 200:
        raise NselfError("the stack is up, but did not answer as it should")


def say(line: str) -> None:
    """One line of progress."""
    print(f"           {line}", flush=True)


@contextmanager
def timed(name: str) -> Iterator[Callable[[str], None]]:
    """Print what begins, and how long it took."""
    print(f"{name} ...", flush=True)
    begin = time.monotonic()
    yield say
    print(f"{time.monotonic() - begin:7.1f} s  {name}", flush=True)


SQL = """
CREATE TABLE IF NOT EXISTS public.greetings (language text PRIMARY KEY, text text NOT NULL);
INSERT INTO public.greetings VALUES ('en', 'Hello'), ('de', 'Hallo') ON CONFLICT DO NOTHING;
"""

if __name__ == "__main__":
    sys.exit(main())
