"""The tracked tables with their relationships and permissions: what one role may see and do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hasura.metadata import table_name
from hasura.tables import Name, Table


@dataclass(frozen=True)
class Link:
    """A relationship: the column pairs (here, there) that join it, and whether it yields one row or many."""

    target: Name
    pairs: tuple[tuple[str, str], ...]
    many: bool


@dataclass(frozen=True)
class Right:
    """What a role may do with a table in one kind of operation."""

    columns: tuple[str, ...]
    filter: Mapping[str, Any] = field(default_factory=dict)
    check: Mapping[str, Any] = field(default_factory=dict)
    preset: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    aggregations: bool = True


class Model:
    """Tables of the database narrowed to what the metadata tracks."""

    def __init__(self, tables: Mapping[Name, Table], entries: list[dict[str, Any]]) -> None:
        self.entries = {table_name(entry["table"]): entry for entry in entries}
        self.tables = {name: tables[name] for name in self.entries if name in tables}

    def right(self, table: Table, role: str, action: str) -> Right | None:
        """Return a role's permission; the admin has every one."""
        every = tuple(table.columns)
        if role == "admin":
            return Right(every)
        entry = self.entries[(table.schema, table.name)]
        found = next((one for one in entry.get(f"{action}_permissions", ()) if one["role"] == role), None)
        if found is None:
            return None
        given = found["permission"]
        columns = given.get("columns", "*")
        return Right(
            columns=every if columns == "*" else tuple(name for name in columns if name in table.columns),
            filter=given.get("filter") or {},
            check=given.get("check") or {},
            preset=given.get("set") or {},
            limit=given.get("limit"),
            aggregations=bool(given.get("allow_aggregations")),
        )

    def links(self, table: Table) -> dict[str, Link]:
        """Return a table's relationships by name."""
        entry = self.entries[(table.schema, table.name)]
        found: dict[str, Link] = {}
        for many, key in ((False, "object_relationships"), (True, "array_relationships")):
            for one in entry.get(key, ()):
                link = self._link(table, one["using"], many=many)
                if link and link.target in self.tables:
                    found[one["name"]] = link
        return found

    def link(self, table: Table, name: str) -> Link | None:
        """Return one relationship."""
        return self.links(table).get(name)

    def _link(self, table: Table, using: Mapping[str, Any], *, many: bool) -> Link | None:
        if "manual_configuration" in using:
            manual = using["manual_configuration"]
            return Link(table_name(manual["remote_table"]), tuple(manual["column_mapping"].items()), many)
        on = using["foreign_key_constraint_on"]
        if not many:
            wanted = (on,) if isinstance(on, str) else tuple(on)
            for columns, target, far in table.foreign:
                if columns == wanted:
                    return Link(target, tuple(zip(columns, far, strict=True)), many)
            return None
        target = table_name(on["table"])
        wanted = (on["column"],) if "column" in on else tuple(on["columns"])
        for columns, back, far in self.tables[target].foreign if target in self.tables else ():
            if columns == wanted and back == (table.schema, table.name):
                return Link(target, tuple(zip(far, columns, strict=True)), many)
        return None
