"""Auth: sign-up and sign-in at ``https://auth.<domain>``, with tokens that Hasura accepts.

Sources: https://github.com/nhost/nhost/blob/75172bf4c47d0e21e230c1113fe35880ba385f5d/services/auth/go/cmd/serve.go
(variables; no ``*_FILE``), https://github.com/nhost/nhost/blob/1160266ea3ba70c834f3b7fe34b9a2bf8cd9962d/services/auth/project.nix
(the image: a binary and wget, no shell),
https://github.com/nhost/hasura-auth/blob/838f397d0cf53d41fdc474486fdcc554b05ec5b3/go/cmd/migrations.go
(at its start it migrates the schema ``auth``, which must exist, and then tracks its tables in Hasura).
The image ``nhost/hasura-auth`` was renamed ``nhost/auth`` in 2025.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, field_validator

from nself_sdk import compose
from nself_sdk.catalog import mailpit
from nself_sdk.catalog.hasura import ADMIN_SECRET, JWT_KEY, JWT_SECRET, Hasura
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.catalog.postgres import Postgres, role_sql
from nself_sdk.environment import Environment
from nself_sdk.model import Model
from nself_sdk.offers import RateLimit
from nself_sdk.project import Context, Route, Secret, Service

#: 32 bytes in hexadecimal, required since 0.43; with it lost, enrolled one-time passwords are lost.
_ENCRYPTION_KEY = Secret(name="AUTH_ENCRYPTION_KEY", alphabet="hexadecimal", length=64)
_DB_PASSWORD = Secret(name="AUTH_DB_PASSWORD")
# What a provider calls its secret, where it is not the client's.
_SECRETS = {"APPLE": "PRIVATE_KEY", "TWITTER": "CONSUMER_SECRET"}
_SMTP_PASSWORD = Secret(name="AUTH_SMTP_PASS", source="given")


class Smtp(Model):
    """The mail server that Auth sends through; its password is the secret ``AUTH_SMTP_PASS``."""

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    user: str = ""
    #: Whom its mail is from; ``noreply@<domain>`` when left out.
    sender: str = ""
    #: TLS from the first byte; otherwise STARTTLS where it is offered.
    secure: bool = False


class Auth(Service):
    """Nhost Auth, with a Postgres role and schema of its own; brings Hasura, Postgres and Nginx with it.

    Sign-in with others: ``environment={"AUTH_PROVIDER_GITHUB_ENABLED": "true", "AUTH_PROVIDER_GITHUB_CLIENT_ID": ""}``
    with your id in it; what GitHub calls the client's secret is the secret ``AUTH_PROVIDER_GITHUB_CLIENT_SECRET``.
    """

    enabled_by: ClassVar[str] = "AUTH_ENABLED"
    always: ClassVar[bool] = True
    variables: ClassVar[Mapping[str, str]] = {
        # Whatever is said of Auth alone stands above what is said of all mail.
        **{f"AUTH_SMTP_{field.upper()}": f"smtp.{field}" for field in Smtp.model_fields},
        **{f"SMTP_{field.upper()}": f"smtp.{field}" for field in Smtp.model_fields if field != "sender"},
        "EMAIL_FROM": "smtp.sender",
        "AUTH_EMAIL_VERIFICATION_REQUIRED": "environment.AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED",
        "AUTH_ALLOWED_REDIRECT_URLS": "environment.AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS",
        "RATE_LIMIT_AUTH_RATE": "rate_limit",
    }
    handed_on: ClassVar[str] = (
        r"AUTH_(ACCESS_TOKEN|REFRESH_TOKEN|PROVIDER|EMAIL|WEBAUTHN|ACCESS_CONTROL|ANONYMOUS|MFA|PASSWORD|LOCALE|USER"
        r"|GRAVATAR|RATE_LIMIT|DISABLE|CONCEAL)_.+"
    )

    name: str = "auth"
    image: str = "nhost/auth:0.49.1"
    route: str = "auth"
    #: Where e-mail links and sign-in redirects lead: the web app's URL. The bare domain when left out.
    client_url: str = ""
    #: Without it no e-mail is sent, and addresses are not verified.
    smtp: Smtp | None = None
    password_min_length: int = Field(default=9, ge=8)
    rate_limit: RateLimit = ""
    memory: str = "256m"

    @field_validator("smtp", mode="before")
    @classmethod
    def _is_named(cls, smtp: dict[str, Any] | Smtp | None) -> dict[str, Any] | Smtp | None:
        """In env files an empty host is none, and Mailpit, which is wired by itself, is none either."""
        if not isinstance(smtp, dict) or not smtp.keys() <= Smtp.model_fields.keys():
            return smtp
        return None if smtp.get("host", "") in {"", "mailpit"} else smtp

    def requires(self) -> tuple[type[Service], ...]:
        return (Hasura, Postgres, Nginx)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        return (Route(name=self.route, port=4000, rate_limit=self.rate_limit),)

    def secrets(self) -> tuple[Secret, ...]:
        mail = (_SMTP_PASSWORD,) if self.smtp else ()
        return (ADMIN_SECRET, JWT_KEY, _DB_PASSWORD, _ENCRYPTION_KEY, *mail, *self._provider_secrets)

    @property
    def _provider_secrets(self) -> tuple[Secret, ...]:
        on = (name for name, value in self.environment.items() if value == "true")
        found = filter(None, (re.fullmatch(r"(AUTH_PROVIDER_([A-Z]+(?:_[A-Z]+)*)_)ENABLED", name) for name in on))
        return tuple(Secret(name=f"{m[1]}{_SECRETS.get(m[2], 'CLIENT_SECRET')}", source="given") for m in found)

    def sql(self) -> str:
        return (
            "CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;\n"
            + role_sql("auth", _DB_PASSWORD.name)
            + "CREATE SCHEMA IF NOT EXISTS auth AUTHORIZATION auth;\n"
            "GRANT USAGE ON SCHEMA public TO auth;\n"
            "GRANT USAGE ON SCHEMA auth TO hasura;\n"
            "GRANT ALL ON ALL TABLES IN SCHEMA auth TO hasura;\n"
            "ALTER DEFAULT PRIVILEGES FOR ROLE auth IN SCHEMA auth GRANT ALL ON TABLES TO hasura;\n"
            "ALTER DEFAULT PRIVILEGES FOR ROLE auth IN SCHEMA auth GRANT ALL ON SEQUENCES TO hasura;\n"
        )

    def part(self, context: Context) -> compose.ComposeFile:
        service = compose.Service(
            image=self.image,
            # The image names no user; it writes nothing.
            user="1000:1000",
            environment={**self._variables(context), **self._mail(context), **self._providers, **self.environment},
            # Hasura itself waits for the database: one edge is enough.
            depends_on=context.the(Hasura).ready(),
            healthcheck=compose.Healthcheck(
                test=["CMD", "wget", "--spider", "-q", "http://127.0.0.1:4000/healthz"],
                start_period="2m",
            ),
            stop_grace_period="30s",
            deploy=self.limits,
        )
        return compose.ComposeFile(
            services={self.name: service},
            secrets={secret.name: compose.Secret(environment=secret.name) for secret in self.secrets()},
        )

    @property
    def _providers(self) -> dict[str, str]:
        return {secret.name: f"${{{secret.name}}}" for secret in self._provider_secrets}

    def _variables(self, context: Context) -> dict[str, str]:
        environment, hasura = context.environment, context.the(Hasura)
        # Without a query of its own the URL would get one appended, and a second '?' breaks it.
        database = context.the(Postgres).url(context, "auth", _DB_PASSWORD.name) + "?sslmode=disable"
        return {
            "AUTH_PORT": "4000",
            "AUTH_SERVER_URL": environment.url(self.route, ""),
            "AUTH_CLIENT_URL": self.client_url or f"https://{environment.domain}",
            "AUTH_PASSWORD_MIN_LENGTH": str(self.password_min_length),
            "AUTH_ENCRYPTION_KEY": f"${{{_ENCRYPTION_KEY.name}}}",
            "AUTH_DEBUG": str(environment.log_level == "debug").lower(),
            "POSTGRES_CONNECTION": database,
            "POSTGRES_MIGRATIONS_CONNECTION": database,
            "HASURA_GRAPHQL_GRAPHQL_URL": f"http://{hasura.name}:8080/v1/graphql",
            "HASURA_GRAPHQL_ADMIN_SECRET": f"${{{ADMIN_SECRET.name}}}",
            "HASURA_GRAPHQL_JWT_SECRET": JWT_SECRET,
        }

    def _mail(self, context: Context) -> dict[str, str]:
        if context.every(mailpit.Mailpit) and not context.environment.real_mail_required:
            # Nothing leaves the stack, whatever mail server is named for production.
            return {
                "AUTH_SMTP_HOST": mailpit.ALIAS,
                "AUTH_SMTP_PORT": str(mailpit.SMTP_PORT),
                "AUTH_SMTP_USER": "auth",
                # Any password will do there, and Auth does not go without one.
                "AUTH_SMTP_PASS": "mailpit",
                "AUTH_SMTP_SENDER": f"noreply@{context.environment.domain}",
                "AUTH_SMTP_SECURE": "false",
            }
        if self.smtp is None:
            # Verified addresses are Auth's default: without mail nobody could ever sign in.
            return {"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"}
        return {
            "AUTH_SMTP_HOST": self.smtp.host,
            "AUTH_SMTP_PORT": str(self.smtp.port),
            "AUTH_SMTP_USER": self.smtp.user,
            "AUTH_SMTP_PASS": f"${{{_SMTP_PASSWORD.name}}}",
            "AUTH_SMTP_SENDER": self.smtp.sender or f"noreply@{context.environment.domain}",
            "AUTH_SMTP_SECURE": str(self.smtp.secure).lower(),
        }
