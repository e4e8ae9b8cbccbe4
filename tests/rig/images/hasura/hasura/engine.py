"""One running engine: its connections, its metadata, and a schema per role that is rebuilt when either changes."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from graphql import GraphQLError, GraphQLSchema, OperationType, execute, get_operation_ast, parse, validate

from hasura.errors import Refused
from hasura.metadata import Metadata
from hasura.model import Model
from hasura.rows import Rows
from hasura.schema import build
from hasura.session import Session
from hasura.tables import read_tables

HAS_CATALOG = "select 1 from pg_namespace where nspname = 'hdb_catalog'"


class Engine:
    """What answers requests."""

    def __init__(self, source: asyncpg.Pool, metadata: Metadata) -> None:
        self.source, self.metadata = source, metadata
        self.tables: dict[Any, Any] = {}
        self.model = Model({}, [])
        self.schemas: dict[str, GraphQLSchema] = {}

    async def reload(self) -> None:
        """Read the database's catalog again."""
        self.tables = await read_tables(self.source)
        self.model = Model(self.tables, self.metadata.tables())
        self.schemas.clear()

    async def change(self, command: dict[str, Any]) -> Any:
        """Execute a command of /v1/metadata."""
        await self.reload()
        result = await self.metadata.run(command, set(self.tables))
        await self.reload()
        return result

    async def run_sql(self, command: dict[str, Any]) -> Any:
        """Execute a command of /v2/query."""
        if command.get("type") == "bulk":
            return [await self.run_sql(one) for one in command["args"]]
        if command.get("type") != "run_sql":
            raise Refused(f"unknown query type: {command.get('type')} (stand-in)", "parse-failed")
        sql = command["args"]["sql"]
        try:
            async with self.source.acquire() as connection, connection.transaction():
                rows = await self._sql(connection, sql)
        except asyncpg.PostgresError as error:
            raise Refused(f"query execution failed: {error}", "postgres-error") from error
        await self.reload()
        if not rows:
            return {"result_type": "CommandOk", "result": None}
        lines = [["NULL" if value is None else str(value) for value in row.values()] for row in rows]
        return {"result_type": "TuplesOk", "result": [list(rows[0].keys()), *lines]}

    async def _sql(self, connection: asyncpg.Connection, sql: str) -> list[asyncpg.Record]:
        try:
            async with connection.transaction():  # a savepoint: what follows must not find an aborted transaction
                statement = await connection.prepare(sql)
                return await statement.fetch()
        except asyncpg.PostgresSyntaxError as error:
            if "multiple commands" not in str(error):
                raise
            await connection.execute(sql)
            return []

    def schema(self, role: str) -> GraphQLSchema:
        """Return a role's schema."""
        if role not in self.schemas:
            self.schemas[role] = build(self.model, role)
        return self.schemas[role]

    async def graphql(self, request: dict[str, Any], session: Session) -> dict[str, Any]:
        """Answer one GraphQL request; a mutation is one transaction."""
        schema, variables, name = self.schema(session.role), request.get("variables"), request.get("operationName")
        try:
            document = parse(request.get("query") or "")
        except GraphQLError as error:
            return {"errors": [_error(error)]}
        if errors := validate(schema, document):
            return {"errors": [_error(error) for error in errors]}
        operation = get_operation_ast(document, name)
        writes = operation is not None and operation.operation is OperationType.MUTATION
        async with self.source.acquire() as connection:
            rows = Rows(_Serial(connection), self.model, session)
            transaction = connection.transaction(readonly=not writes)
            await transaction.start()
            result = execute(schema, document, None, rows, variables, name)
            result = await result if hasattr(result, "__await__") else result
            await (transaction.rollback() if result.errors else transaction.commit())
        if result.errors:
            return {"errors": [_error(error) for error in result.errors]}
        return {"data": result.data}


class _Serial:
    """One connection for resolvers that run side by side: asyncpg allows one statement at a time."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection, self.turn = connection, asyncio.Lock()

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        async with self.turn:
            return await self.connection.fetch(sql, *values)


def _error(error: GraphQLError) -> dict[str, Any]:
    cause = error.original_error
    code = cause.code if isinstance(cause, Refused) else "validation-failed"
    path = "$" if error.path is None else "$.selectionSet." + ".".join(map(str, error.path))
    return {"message": error.message, "extensions": {"path": path, "code": code}}


async def prepare(pool: asyncpg.Pool) -> None:
    """Do in a database what Hasura does at its first start, with no more rights than it needs."""
    # Checked first: `create schema if not exists` demands CREATE on the database even where the schema exists.
    if not await pool.fetchval(HAS_CATALOG):
        await pool.execute("create schema hdb_catalog")
    await pool.execute("create extension if not exists pgcrypto")
