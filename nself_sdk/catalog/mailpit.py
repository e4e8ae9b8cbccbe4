"""Mailpit: catches every e-mail that the stack sends, and shows them at ``https://mail.<domain>``.

Sources: https://raw.githubusercontent.com/GeiserX/LynxPrompt/main/docker-compose.mailpit.yml (the tag in use),
https://github.com/axllent/mailpit/blob/13901cc87f51b7e9c2dcee2a82c21e2303ba0a3c/Dockerfile (ports 1025 and 8025,
``/mailpit readyz``, no user), https://mailpit.axllent.org/docs/configuration/runtime-options/ (variables).
The network alias ``mailhog``: Auth logs in without TLS only at a host of that name, see isLocalhost in
https://github.com/nhost/hasura-auth/blob/838f397d0cf53d41fdc474486fdcc554b05ec5b3/go/notifications/stdlib.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from nself_sdk import compose
from nself_sdk.catalog.nginx import OPERATOR, Nginx
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Route, Secret, Service

#: The name under which Auth reaches it.
ALIAS = "mailhog"
SMTP_PORT = 1025


class Mailpit(Service):
    """A mail server that delivers nothing, and shows what it got. It keeps the newest ``max_messages`` in memory.

    For dev and staging: where real e-mail is required, a check refuses it. Outside dev its pages are behind the
    operator's login, because they show sign-in links.
    """

    enabled_by: ClassVar[str] = "MAILPIT_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {"MAILPIT_VERSION": "image", "MAIL_ROUTE": "route"}

    name: str = "mailpit"
    image: str = "axllent/mailpit:v1.31.3"
    route: str = "mail"
    max_messages: int = Field(default=500, ge=1)
    memory: str = "128m"

    def requires(self) -> tuple[type[Service], ...]:
        return (Nginx,)

    def routes(self, environment: Environment) -> tuple[Route, ...]:
        login = "" if environment.profile == "dev" else OPERATOR.name
        return (Route(name=self.route, port=8025, login=login),)

    def secrets(self) -> tuple[Secret, ...]:
        return (OPERATOR,)

    def part(self, context: Context) -> compose.ComposeFile:  # noqa: ARG002 - the same everywhere
        service = compose.Service(
            image=self.image,
            user="1000:1000",
            environment={
                "MP_MAX_MESSAGES": str(self.max_messages),
                "MP_SMTP_AUTH_ACCEPT_ANY": "true",
                "MP_SMTP_AUTH_ALLOW_INSECURE": "true",
                "MP_DISABLE_VERSION_CHECK": "true",
                **self.environment,
            },
            networks={"default": compose.ServiceNetwork(aliases=[ALIAS])},
            cap_drop=["ALL"],
            healthcheck=compose.Healthcheck.command("/mailpit", "readyz"),
            deploy=self.limits,
        )
        return compose.ComposeFile(services={self.name: service})
