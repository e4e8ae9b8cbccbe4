"""Users and refresh tokens in the schema `auth`, with no more rights than owning it."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from typing import Any

import asyncpg
import bcrypt

HAS_SCHEMA = "select 1 from pg_namespace where nspname = 'auth'"
MIGRATION = """
create table if not exists auth.roles (role text primary key);
create table if not exists auth.users (
  id uuid primary key default gen_random_uuid(), created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(), email citext unique, password_hash text,
  display_name text not null default '', locale varchar(2) not null default 'en',
  email_verified boolean not null default false, disabled boolean not null default false,
  default_role text not null default 'user' references auth.roles, ticket text, metadata jsonb);
create table if not exists auth.user_roles (
  id uuid primary key default gen_random_uuid(), created_at timestamptz not null default now(),
  user_id uuid not null references auth.users on delete cascade, role text not null references auth.roles,
  unique (user_id, role));
create table if not exists auth.refresh_tokens (
  id uuid primary key default gen_random_uuid(), created_at timestamptz not null default now(),
  refresh_token_hash text, user_id uuid not null references auth.users on delete cascade,
  expires_at timestamptz not null);
"""
INSERT = """
insert into auth.users (email, password_hash, display_name, email_verified, default_role, ticket)
values ($1, $2, $3, $4, $5, $6) on conflict (email) do nothing returning *
"""


async def migrate(connection: asyncpg.Connection, roles: tuple[str, ...]) -> None:
    """Create what is missing; the schema itself must be there, as upstream demands."""
    if not await connection.fetchval(HAS_SCHEMA):
        raise SystemExit('schema "auth" does not exist: create it, owned by the role of POSTGRES_MIGRATIONS_CONNECTION')
    await connection.execute("create extension if not exists pgcrypto; create extension if not exists citext")
    await connection.execute(MIGRATION)
    await connection.executemany("insert into auth.roles values ($1) on conflict do nothing", [(r,) for r in roles])


class Users:
    """The table of users, over one pool."""

    def __init__(self, pool: asyncpg.Pool, roles: tuple[str, ...], refresh_seconds: int) -> None:
        self.pool, self.roles, self.refresh_seconds = pool, roles, refresh_seconds

    async def add(self, email: str, password: str, *, verified: bool, ticket: str) -> asyncpg.Record | None:
        """Add a user; None where the address is taken."""
        hashed = await asyncio.to_thread(bcrypt.hashpw, password.encode()[:72], bcrypt.gensalt(10))
        async with self.pool.acquire() as connection, connection.transaction():
            user = await connection.fetchrow(INSERT, email, hashed.decode(), email, verified, self.roles[0], ticket)
            for role in self.roles if user else ():
                await connection.execute(
                    "insert into auth.user_roles (user_id, role) values ($1, $2)", user["id"], role
                )
        return user

    async def check(self, email: str, password: str) -> asyncpg.Record | None:
        """Return the user with that address and password."""
        user = await self.pool.fetchrow("select * from auth.users where email = $1", email)
        if user is None or not user["password_hash"]:
            return None
        right = await asyncio.to_thread(bcrypt.checkpw, password.encode()[:72], user["password_hash"].encode())
        return user if right else None

    async def get(self, user_id: str) -> asyncpg.Record | None:
        """Return one user."""
        return await self.pool.fetchrow("select * from auth.users where id = $1", uuid.UUID(user_id))

    async def verify(self, ticket: str) -> bool:
        """Mark the address of a ticket as verified."""
        sql = "update auth.users set email_verified = true, ticket = null where ticket = $1 returning id"
        return await self.pool.fetchval(sql, ticket) is not None

    async def refresh_token(self, user_id: uuid.UUID) -> str:
        """Return a new refresh token; its hash alone is kept."""
        token = str(uuid.uuid4())
        await self.pool.execute(
            "insert into auth.refresh_tokens (refresh_token_hash, user_id, expires_at)"
            " values ($1, $2, now() + $3 * interval '1 second')",
            _hash(token), user_id, float(self.refresh_seconds),
        )  # fmt: skip
        return token

    async def spend(self, token: str) -> asyncpg.Record | None:
        """Return the user of a refresh token, which is used up by that."""
        return await self.pool.fetchrow(
            "with spent as (delete from auth.refresh_tokens where refresh_token_hash = $1 and expires_at > now()"
            " returning user_id) select u.* from auth.users u join spent on spent.user_id = u.id",
            _hash(token),
        )

    def shown(self, user: Any) -> dict[str, Any]:
        """Return what a user is told about himself."""
        return {
            "id": str(user["id"]),
            "email": user["email"],
            "displayName": user["display_name"],
            "emailVerified": user["email_verified"],
            "defaultRole": user["default_role"],
            "roles": list(self.roles),
            "locale": user["locale"],
            "isAnonymous": False,
            "createdAt": user["created_at"].isoformat(),
        }


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
