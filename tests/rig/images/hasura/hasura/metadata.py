"""Hasura's metadata: which tables are tracked, how they relate, who may do what; kept in hdb_catalog."""

from __future__ import annotations

import copy
import json
from typing import Any

import asyncpg

from hasura.errors import Refused

PREPARE = """
create table if not exists hdb_catalog.hdb_metadata
  (id int primary key, metadata json not null, resource_version int not null)
"""
STORE = """
insert into hdb_catalog.hdb_metadata values (1, $1, $2)
on conflict (id) do update set metadata = excluded.metadata, resource_version = excluded.resource_version
"""
DEFAULT = {
    "name": "default",
    "kind": "postgres",
    "tables": [],
    "configuration": {"connection_info": {"database_url": {"from_env": "HASURA_GRAPHQL_DATABASE_URL"}}},
}
PERMISSIONS = ("select", "insert", "update", "delete")


class Metadata:
    """The stored document, and the commands of /v1/metadata that change it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.version = 0
        self.document: dict[str, Any] = {"version": 3, "sources": [copy.deepcopy(DEFAULT)]}

    async def load(self) -> None:
        """Read it, or begin with an empty one."""
        await self.pool.execute(PREPARE)
        row = await self.pool.fetchrow("select metadata, resource_version from hdb_catalog.hdb_metadata where id = 1")
        if row:
            self.document, self.version = json.loads(row[0]), row[1]
        else:
            await self.save()

    async def save(self) -> None:
        """Write it with the next version."""
        self.version += 1
        await self.pool.execute(STORE, json.dumps(self.document), self.version)

    def tables(self) -> list[dict[str, Any]]:
        """Return the tracked tables of the default source."""
        sources = self.document.setdefault("sources", [])
        source = next((found for found in sources if found["name"] == "default"), None)
        if source is None:
            sources.append(source := copy.deepcopy(DEFAULT))
        return source.setdefault("tables", [])

    def tracked(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return the entry of the table that a command names."""
        wanted = table_name(args["table"])
        for entry in self.tables():
            if table_name(entry["table"]) == wanted:
                return entry
        raise Refused(f'table "{wanted[1]}" is not tracked in source: default', "not-exists")

    async def run(self, command: dict[str, Any], existing: set[tuple[str, str]]) -> Any:
        """Execute one command of /v1/metadata."""
        kind, args = command.get("type", ""), command.get("args") or {}
        if kind == "bulk":
            return [await self.run(one, existing) for one in args]
        if kind == "export_metadata":
            wrapped = {"resource_version": self.version, "metadata": self.document}
            return wrapped if command.get("version") == 2 else self.document
        if kind == "get_inconsistent_metadata":
            return {"is_consistent": True, "inconsistent_objects": []}
        if kind != "reload_metadata":
            self._change(kind, args, existing)
            await self.save()
        return {"message": "success"}

    def _change(self, kind: str, args: Any, existing: set[tuple[str, str]]) -> None:
        words = kind.removeprefix("pg_").split("_")
        if kind == "replace_metadata":
            self.document = args.get("metadata", args)
        elif kind == "clear_metadata":
            self.document = {"version": 3, "sources": []}
        elif kind == "pg_track_table":
            self._track(args, existing)
        elif kind == "pg_track_tables":
            for one in args["tables"]:
                self._track(one, existing)
        elif kind == "pg_untrack_table":
            self.tables().remove(self.tracked(args))
        elif words[-1] == "relationship" and words[0] == "create":
            entry = {"name": args["name"], "using": args["using"]}
            self._add(self.tracked(args).setdefault(f"{words[1]}_relationships", []), entry, "name")
        elif words[-1] == "permission" and words[1] in PERMISSIONS:
            self._permit(words[0], words[1], args)
        else:
            raise Refused(f"unknown metadata command: {kind} (stand-in)", "parse-failed")

    def _track(self, args: dict[str, Any], existing: set[tuple[str, str]]) -> None:
        name = table_name(args.get("table", args))
        if name not in existing:
            raise Refused(f'no such table/view exists in source: "{name[1]}"', "not-exists")
        if any(table_name(entry["table"]) == name for entry in self.tables()):
            raise Refused(f'view/table already tracked: "{name[1]}"', "already-tracked")
        self.tables().append({"table": {"schema": name[0], "name": name[1]}})

    def _permit(self, verb: str, action: str, args: dict[str, Any]) -> None:
        listed = self.tracked(args).setdefault(f"{action}_permissions", [])
        if verb == "create":
            self._add(listed, {"role": args["role"], "permission": args["permission"]}, "role")
        else:
            listed[:] = [entry for entry in listed if entry["role"] != args["role"]]

    def _add(self, listed: list[dict[str, Any]], entry: dict[str, Any], key: str) -> None:
        if any(found[key] == entry[key] for found in listed):
            raise Refused(f"{key} {entry[key]!r} already exists", "already-exists")
        listed.append(entry)


def table_name(table: Any) -> tuple[str, str]:
    """Return schema and name: Hasura allows a bare name for tables in `public`."""
    return ("public", table) if isinstance(table, str) else (table.get("schema", "public"), table["name"])
