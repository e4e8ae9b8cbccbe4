"""Reading and writing rows for one request: each method is one SQL statement under one role's permissions."""

# ruff: noqa: S608 - names come quoted from Postgres' own catalog, and every value is bound.
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import asyncpg

from hasura.errors import Refused
from hasura.model import Model, Right
from hasura.session import Session
from hasura.sql import Statement, ordering
from hasura.tables import Table, quoted

Row = dict[str, Any]
CHECK_FAILED = "check constraint of an insert/update permission has failed"


class Rows:
    """Rows as one session sees them, over one connection: a mutation's is in a transaction."""

    def __init__(self, connection: asyncpg.Connection, model: Model, session: Session) -> None:
        self.connection, self.model, self.session = connection, model, session

    def right(self, table: Table, action: str) -> Right:
        """Return the session's permission, which the schema has already promised."""
        right = self.model.right(table, self.session.role, action)
        if right is None:
            raise Refused(f"{self.session.role} may not {action} {table.graphql}", "permission-error")
        return right

    async def select(self, table: Table, args: Mapping[str, Any], fixed: Mapping[str, Any] | None = None) -> list[Row]:
        """Return rows; ``fixed`` holds column values that a relationship or a key demands."""
        statement, where = self._where(table, args.get("where"), fixed)
        limits = [n for n in (args.get("limit"), self.right(table, "select").limit) if n is not None]
        tail = ordering(table, "t", args.get("order_by"))
        tail += f" limit {min(map(int, limits))}" if limits else ""
        tail += f" offset {int(args['offset'])}" if args.get("offset") else ""
        return await self._rows(f"select to_jsonb(t) from {table.sql} t where {where}{tail}", statement)

    async def count(self, table: Table, args: Mapping[str, Any], fixed: Mapping[str, Any] | None = None) -> int:
        """Return how many rows ``select`` would find without a limit."""
        statement, where = self._where(table, args.get("where"), fixed)
        rows = await self._rows(f"select to_jsonb(count(*)) from {table.sql} t where {where}", statement)
        return int(rows[0])

    async def insert(self, table: Table, rows: list[Row], conflict: Mapping[str, Any] | None) -> list[Row]:
        """Insert rows one by one, and return those inserted or updated."""
        right, written = self.right(table, "insert"), []
        for row in rows:
            statement = self._statement()
            values = dict(row) | dict(right.preset)
            columns = ", ".join(quoted(name) for name in values)
            bound = ", ".join(statement.bind(value, table.columns[name].type) for name, value in values.items())
            source = f"({columns}) values ({bound})" if values else "default values"
            sql = f"insert into {table.sql} as t {source}{self._conflict(table, conflict, statement)}"
            written += await self._checked(sql, table, right, statement)
        return written

    async def update(self, table: Table, where: Any, args: Mapping[str, Any]) -> list[Row]:
        """Set or increase columns of the rows that match."""
        right, statement = self.right(table, "update"), self._statement()
        sets = [
            f"{quoted(name)} = {statement.bind(value, table.columns[name].type)}"
            for name, value in (dict(args.get("_set") or {}) | dict(right.preset)).items()
        ]
        sets += [
            f"{quoted(name)} = t.{quoted(name)} + {statement.bind(value, table.columns[name].type)}"
            for name, value in (args.get("_inc") or {}).items()
        ]
        if not sets:
            raise Refused("at least one of _set, _inc is expected", "validation-failed")
        condition = statement.condition(table, "t", {"_and": [where or {}, right.filter]})
        sql = f"update {table.sql} t set {', '.join(sets)} where {condition}"
        return await self._checked(sql, table, right, statement)

    async def delete(self, table: Table, where: Any) -> list[Row]:
        """Delete the rows that match, and return them."""
        right, statement = self.right(table, "delete"), self._statement()
        condition = statement.condition(table, "t", {"_and": [where or {}, right.filter]})
        return await self._rows(f"delete from {table.sql} t where {condition} returning to_jsonb(t)", statement)

    def _statement(self) -> Statement:
        return Statement(self.model, self.session.variables)

    def _where(self, table: Table, where: Any, fixed: Mapping[str, Any] | None) -> tuple[Statement, str]:
        statement = self._statement()
        parts = [where or {}, self.right(table, "select").filter, {k: {"_eq": v} for k, v in (fixed or {}).items()}]
        return statement, statement.condition(table, "t", {"_and": parts})

    def _conflict(self, table: Table, conflict: Mapping[str, Any] | None, statement: Statement) -> str:
        if not conflict:
            return ""
        sets = ", ".join(f"{quoted(c)} = excluded.{quoted(c)}" for c in conflict.get("update_columns") or ())
        action = f"do update set {sets}" if sets else "do nothing"
        if sets and conflict.get("where"):
            action += f" where {statement.condition(table, 't', conflict['where'])}"
        return f" on conflict on constraint {quoted(conflict['constraint'])} {action}"

    async def _checked(self, sql: str, table: Table, right: Right, statement: Statement) -> list[Row]:
        check = statement.condition(table, "t", right.check)
        found = await self._fetch(f"{sql} returning to_jsonb(t) as row, ({check}) as allowed", statement)
        if not all(one["allowed"] for one in found):
            raise Refused(CHECK_FAILED, "permission-error")
        return [json.loads(one["row"]) for one in found]

    async def _rows(self, sql: str, statement: Statement) -> list[Row]:
        return [json.loads(one[0]) for one in await self._fetch(sql, statement)]

    async def _fetch(self, sql: str, statement: Statement) -> list[asyncpg.Record]:
        try:
            return await self.connection.fetch(sql, *statement.values)
        except asyncpg.IntegrityConstraintViolationError as error:
            kind = "Uniqueness" if isinstance(error, asyncpg.UniqueViolationError) else "Constraint"
            raise Refused(f"{kind} violation. {error}", "constraint-violation") from error
        except asyncpg.DataError as error:
            raise Refused(str(error), "data-exception") from error
        except asyncpg.PostgresError as error:
            raise Refused(f"database query error: {error}", "unexpected") from error
