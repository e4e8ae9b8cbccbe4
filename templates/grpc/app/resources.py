"""What the service needs of others, opened once: a pool of Postgres connections, a Redis client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

import asyncpg
from redis.asyncio import Redis

from app.settings import Settings

CHECK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Resources:
    """Each is None when its URL is not set."""

    database: asyncpg.Pool | None
    redis: Redis | None

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Self]:
        """Open them, close them at the end. Nothing connects yet: the service may start first."""
        async with AsyncExitStack() as stack:
            database = redis = None
            if settings.database_url:
                pool = asyncpg.create_pool(settings.database_url, min_size=0, timeout=5)
                database = await stack.enter_async_context(pool)
            if settings.redis_url:
                client = Redis.from_url(settings.redis_url, socket_timeout=5)
                redis = await stack.enter_async_context(client)
            yield cls(database, redis)

    async def check(self) -> Mapping[str, str]:
        """Return "ok" or the kind of error for each: never its message, which may hold a password."""
        checks: dict[str, Awaitable[object]] = {}
        if self.database is not None:
            checks["database"] = self.database.fetchval("select 1")
        if self.redis is not None:
            checks["redis"] = self.redis.ping()
        outcomes = await asyncio.gather(*map(_outcome, checks.values()))
        return dict(zip(checks, outcomes, strict=True))


async def _outcome(check: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check
    except Exception as error:  # noqa: BLE001 - whatever it is, the service is not ready
        return type(error).__name__
    return "ok"
