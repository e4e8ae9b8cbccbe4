"""Quickstart: Postgres, Hasura, Auth, Nginx, Redis, and one service of your own in FastAPI.

As a project folder: copy this file to ``stack.py`` in an empty folder and run ``nself-sdk up`` there.
As a script: ``python quickstart.py [FOLDER]`` brings it up and says where it answers.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nself_sdk import Auth, CustomService, Deployment, Environment, Hasura, Postgres, Project, Redis


def project(environment: Environment) -> Project:
    """The stack; it could differ by environment, and here it only gets a bigger database in prod."""
    return (
        Project()  # named after its folder
        .add(Postgres(port=None, memory="4g" if environment.profile == "prod" else "512m"))
        .add(Hasura())  # brings Nginx with it
        .add(Auth())
        .add(Redis(port=None))
        .add(CustomService("hello", "fastapi-py", 8001, needs=["postgres", "redis"]))
    )


def main(folder: Path) -> None:
    """Bring the dev environment up in that folder, and print what answers where."""
    folder.mkdir(parents=True, exist_ok=True)
    with Deployment(project, "dev", folder, tell=print) as dev:
        dev.deploy()
        for route in dev.context.routes:
            print(f"{route.service}: {dev.environment.url(route.name)}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "quickstart"))
