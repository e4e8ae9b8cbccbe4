"""The HTTP surface of hasura-auth that e-mail and password need; settings from its own variables."""

from __future__ import annotations

import asyncio
import json
import os
import re
import smtplib
import sys
import time
import uuid
from email.message import EmailMessage
from typing import Any

import aiohttp
import asyncpg
import jwt
from aiohttp import web

from hasura_auth import VERSION
from hasura_auth.users import Users, migrate

CLAIMS = "https://hasura.io/jwt/claims"
TRACKED = ("roles", "users", "user_roles", "refresh_tokens")


def setting(name: str, default: str = "") -> str:
    """Return one AUTH_* variable."""
    return os.environ.get(f"AUTH_{name}", "") or default


def is_on(name: str, default: str = "false") -> bool:
    """Return one switch."""
    return setting(name, default).lower() in {"true", "1"}


def must_verify() -> bool:
    """Return whether an address must be verified before it may sign in: upstream's default is yes."""
    return is_on("EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED", "true")


def error(status: int, name: str, message: str) -> web.Response:
    """Answer in hasura-auth's form."""
    return web.json_response({"status": status, "error": name, "message": message}, status=status)


class Surface:
    """The routes, over the users and the key that is shared with Hasura."""

    def __init__(self, users: Users, key: dict[str, str]) -> None:
        self.users, self.key = users, key
        self.lifetime = int(setting("ACCESS_TOKEN_EXPIRES_IN", "900"))

    def app(self) -> web.Application:
        app, prefix = web.Application(), setting("API_PREFIX")
        app.router.add_get(f"{prefix}/healthz", self.health)
        app.router.add_get(f"{prefix}/version", self.version)
        app.router.add_get(f"{prefix}/.well-known/jwks.json", self.keys)
        app.router.add_get(f"{prefix}/verify", self.verify)
        app.router.add_get(f"{prefix}/user", self.user)
        app.router.add_post(f"{prefix}/signup/email-password", self.sign_up)
        app.router.add_post(f"{prefix}/signin/email-password", self.sign_in)
        app.router.add_post(f"{prefix}/token", self.token)
        app.router.add_post(f"{prefix}/signout", self.sign_out)
        return app

    async def health(self, _: web.Request) -> web.Response:
        await self.users.pool.fetchval("select 1 from auth.users limit 1")
        return web.json_response("OK")

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": VERSION})

    async def keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": []})

    async def sign_up(self, request: web.Request) -> web.Response:
        body = await request.json()
        email, password = str(body.get("email", "")), str(body.get("password", ""))
        if is_on("DISABLE_SIGNUP"):
            return error(403, "signup-disabled", "Sign up is disabled.")
        if not re.fullmatch(r"\S+@\S+", email):
            return error(400, "invalid-request", '"email" must be a valid email')
        if len(password) < int(setting("PASSWORD_MIN_LENGTH", "9")):
            return error(400, "password-too-short", "Password is too short")
        later, ticket = must_verify(), f"verifyEmail:{uuid.uuid4()}"
        user = await self.users.add(email, password, verified=not later, ticket=ticket)
        if user is None:
            return error(409, "email-already-in-use", "Email already in use")
        if later:
            await asyncio.to_thread(send_mail, email, ticket)
        return web.json_response({"session": None if later else await self._session(user), "mfa": None})

    async def sign_in(self, request: web.Request) -> web.Response:
        body = await request.json()
        user = await self.users.check(str(body.get("email", "")), str(body.get("password", "")))
        if user is None:
            return error(401, "invalid-email-password", "Incorrect email or password")
        if user["disabled"]:
            return error(401, "disabled-user", "User is disabled")
        if must_verify() and not user["email_verified"]:
            return error(401, "unverified-user", "Email is not verified")
        return web.json_response({"session": await self._session(user), "mfa": None})

    async def verify(self, request: web.Request) -> web.Response:
        if not await self.users.verify(request.query.get("ticket", "")):
            return error(401, "invalid-ticket", "Invalid or expired verification ticket")
        raise web.HTTPFound(request.query.get("redirectTo") or setting("CLIENT_URL", "/"))

    async def token(self, request: web.Request) -> web.Response:
        user = await self.users.spend(str((await request.json()).get("refreshToken", "")))
        if user is None:
            return error(401, "invalid-refresh-token", "Invalid or expired refresh token")
        return web.json_response(await self._session(user))

    async def sign_out(self, request: web.Request) -> web.Response:
        await self.users.spend(str((await request.json()).get("refreshToken", "")))
        return web.json_response("OK")

    async def user(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, self.key["key"], algorithms=[self.key["type"]])
        except jwt.PyJWTError:
            return error(401, "invalid-request", "Not authenticated")
        user = await self.users.get(claims["sub"])
        return web.json_response(self.users.shown(user)) if user else error(401, "invalid-request", "No such user")

    async def _session(self, user: Any) -> dict[str, Any]:
        now, who = int(time.time()), str(user["id"])
        claims = {
            "x-hasura-allowed-roles": list(self.users.roles),
            "x-hasura-default-role": user["default_role"],
            "x-hasura-user-id": who,
            "x-hasura-user-is-anonymous": "false",
        }
        namespace = self.key.get("claims_namespace", CLAIMS)
        payload = {namespace: claims, "sub": who, "iat": now, "exp": now + self.lifetime, "iss": "hasura-auth"}
        return {
            "accessToken": jwt.encode(payload, self.key["key"], algorithm=self.key["type"]),
            "accessTokenExpiresIn": self.lifetime,
            "refreshToken": await self.users.refresh_token(user["id"]),
            "refreshTokenId": str(uuid.uuid4()),
            "user": self.users.shown(user),
        }


def send_mail(to: str, ticket: str) -> None:
    """Send the ticket through the SMTP server of AUTH_SMTP_*; nothing where there is none."""
    host = setting("SMTP_HOST")
    if not host:
        return
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Verify your email", setting("SMTP_SENDER", "noreply@localhost"), to
    mail.set_content(f"{setting('SERVER_URL')}/verify?ticket={ticket}&type=emailVerify")
    secure = smtplib.SMTP_SSL if is_on("SMTP_SECURE") else smtplib.SMTP
    with secure(host, int(setting("SMTP_PORT", "587")), timeout=10) as smtp:
        if setting("SMTP_USER"):
            smtp.login(setting("SMTP_USER"), setting("SMTP_PASS"))
        smtp.send_message(mail)


async def track() -> None:
    """Make Hasura know the tables, as hasura-auth does at its start."""
    url = os.environ.get("HASURA_GRAPHQL_GRAPHQL_URL", "").replace("/v1/graphql", "/v1/metadata")
    headers = {"x-hasura-admin-secret": os.environ.get("HASURA_GRAPHQL_ADMIN_SECRET", "")}
    if not url:
        return
    async with aiohttp.ClientSession(headers=headers) as client:
        for name in TRACKED:
            command = {
                "type": "pg_track_table",
                "args": {"source": "default", "table": {"schema": "auth", "name": name}},
            }
            async with client.post(url, json=command) as answer:
                text = await answer.text()
                if answer.status != 200 and "already-tracked" not in text:
                    sys.stderr.write(f"hasura did not track auth.{name}: {text}\n")


async def start() -> web.Application:
    """Migrate, tell Hasura, and return the application."""
    names = ("POSTGRES_CONNECTION", "HASURA_GRAPHQL_DATABASE_URL", "POSTGRES_MIGRATIONS_CONNECTION")
    url = next((os.environ[name] for name in names if os.environ.get(name)), "")
    text = os.environ.get("HASURA_GRAPHQL_JWT_SECRET", "")
    if not url or not text:
        raise SystemExit("POSTGRES_CONNECTION and HASURA_GRAPHQL_JWT_SECRET are required")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", setting("ENCRYPTION_KEY")):
        raise SystemExit("AUTH_ENCRYPTION_KEY must be 32 bytes in hexadecimal")
    default = setting("USER_DEFAULT_ROLE", "user")
    allowed = setting("USER_DEFAULT_ALLOWED_ROLES", "me,$AUTH_USER_DEFAULT_ROLE")
    listed = allowed.replace("$AUTH_USER_DEFAULT_ROLE", default).split(",")
    roles = tuple(dict.fromkeys([default, *(role.strip() for role in listed if role.strip())]))
    owner = await asyncpg.connect(os.environ.get("POSTGRES_MIGRATIONS_CONNECTION") or url, timeout=5)
    await migrate(owner, roles)
    await owner.close()
    try:
        await track()
    except aiohttp.ClientError as error:
        raise SystemExit(f"Hasura does not answer at HASURA_GRAPHQL_GRAPHQL_URL: {error}") from None
    pool = await asyncpg.create_pool(url, min_size=1, max_size=5, timeout=5)
    users = Users(pool, roles, int(setting("REFRESH_TOKEN_EXPIRES_IN", "2592000")))
    return Surface(users, json.loads(text)).app()


def main() -> None:
    """Serve until SIGTERM, then finish what is in flight."""
    port = int(setting("PORT", "4000"))
    sys.stdout.write(json.dumps({"msg": "starting", "version": VERSION, "port": port}) + "\n")
    try:
        web.run_app(start(), host="0.0.0.0", port=port, access_log=None, shutdown_timeout=30, print=None)  # noqa: S104
    except (OSError, asyncpg.PostgresError) as error:
        raise SystemExit(f"Postgres does not answer: {error}") from None
