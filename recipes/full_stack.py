"""Full stack: everything in the catalog at once, for a look around, and to copy the parts that you want.

Postgres, Hasura, Auth and Nginx; seven optional services; ten for monitoring; four services of your own; two more
GraphQL endpoints over the same database; two web applications.

As a project folder: copy this file to ``stack.py`` in an empty folder and run ``nself-sdk up`` there.
As a script: ``python full_stack.py [FOLDER]`` brings it up and says where it answers.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nself_sdk import (
    Action,
    AlertEmail,
    Alertmanager,
    Auth,
    CustomService,
    Environment,
    FrontendApp,
    Functions,
    Hasura,
    Mailpit,
    Meilisearch,
    Minio,
    Mlflow,
    Monitoring,
    NselfAdmin,
    Postgres,
    Project,
    Redis,
    RemoteSchema,
    Smtp,
)

#: A GraphQL mutation that ``order-api`` answers; its scaffold does so already.
GREET = Action(name="greet", arguments={"name": "String!"}, output={"message": "String!"})


def project(environment: Environment) -> Project:
    """The stack. In prod it sends real e-mail and has a bigger database; elsewhere Mailpit catches all e-mail."""
    made = Project()  # named after its folder
    core(made, environment)
    optional(made, environment)
    monitoring(made, environment)
    custom_services(made)
    endpoints(made)
    frontends(made)
    return made


def core(made: Project, environment: Environment) -> None:
    """Database, GraphQL, sign-in; Nginx comes with them."""
    # The mail server's password is the secret AUTH_SMTP_PASS, in .environments/prod/.env.secrets.
    smtp = Smtp(host="smtp.example.com", user="shop", sender=f"noreply@{environment.domain}")
    made.add(Postgres(memory="4g" if environment.profile == "prod" else "1g"))
    made.add(Hasura())
    made.add(Auth(client_url=environment.url("app", ""), smtp=smtp if environment.real_mail_required else None))


def optional(made: Project, environment: Environment) -> None:
    """What an application may need besides; leave out what yours does not."""
    made.add(Redis()).add(Minio(buckets=("uploads",))).add(Functions()).add(Mlflow()).add(Meilisearch())
    made.add(NselfAdmin())
    if not environment.real_mail_required:
        made.add(Mailpit())


def monitoring(made: Project, environment: Environment) -> None:
    """Metrics, logs, traces, dashboards and alerts."""
    made.add(Monitoring())
    if environment.real_mail_required:
        # Its password is the secret ALERTMANAGER_SMTP_PASSWORD.
        sender = f"alerts@{environment.domain}"
        to = environment.admin_email or f"operator@{environment.domain}"
        made.add(Alertmanager(email=AlertEmail(to=to, sender=sender, host="smtp.example.com", user="shop")))


def custom_services(made: Project) -> None:
    """Services with code of their own, in services/<name>/; each gets the credentials of what it needs, no others."""
    made.add(CustomService("order-api", "express-js", 8001, needs=["postgres", "redis", "hasura"], actions=[GREET]))
    made.add(CustomService("webhooks", "nestjs", 8002, needs=["postgres", "redis"], replicas=2))
    made.add(CustomService("payments", "fastapi-py", 8003, needs=["postgres", "redis"]))
    made.add(CustomService("ml-inference", "fastapi-py", 8004, memory="512m"))


def endpoints(made: Project) -> None:
    """More GraphQL endpoints over the one database, each with tables and permissions of its own."""
    made.add(RemoteSchema("app1", domain="api.app1.com"))
    made.add(RemoteSchema("app2", domain="api.app2.com"))


def frontends(made: Project) -> None:
    """Web applications, which prod leaves out unless it is told ``--include-frontends``."""
    # In dev your own program at port 3000; elsewhere what the bundler left in the folder.
    made.add(FrontendApp("web", port=3000, route="app", dist="frontend/web/dist"))
    made.add(FrontendApp("admin", port=3001, route="dashboard"))


#: What is served as long as there is nothing of your own.
EXAMPLES = {
    "functions/hello.js": "export default (req, res) => res.json({ hello: req.query.name ?? 'you' });\n",
    "frontend/web/dist/index.html": "<!doctype html>\n<title>web</title>\n<h1>Hello</h1>\n",
}


def main(folder: Path) -> None:
    """Bring the dev environment up in that folder, and print what answers where."""
    from nself_sdk import Deployment  # noqa: PLC0415 - the commands do without it

    for name, text in EXAMPLES.items():
        if not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    with Deployment(project, "dev", folder, tell=print) as dev:
        dev.deploy()
        for route in dev.context.routes:
            print(f"{route.service}: {dev.environment.url(route.name)}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "full-stack"))
