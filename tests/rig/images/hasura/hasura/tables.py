"""What the database contains: tables, columns and keys, read from Postgres' own catalog."""

from __future__ import annotations

from dataclasses import dataclass, field

import asyncpg

COLUMNS = """
select n.nspname as schema, c.relname as name, a.attname as column, t.typname as type,
       not a.attnotnull as nullable, (a.atthasdef or a.attidentity <> '') as filled
from pg_attribute a
join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace join pg_type t on t.oid = a.atttypid
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and n.nspname not in ('pg_catalog', 'information_schema', 'hdb_catalog') and n.nspname not like 'pg\\_%'
order by n.nspname, c.relname, a.attnum
"""
KEYS = """
select n.nspname as schema, c.relname as name, k.contype::text as kind, k.conname as constraint,
       array(select attname::text from unnest(k.conkey) with ordinality u(num, at) join pg_attribute a
             on a.attrelid = k.conrelid and a.attnum = u.num order by at) as columns,
       fn.nspname as to_schema, f.relname as to_name,
       array(select attname::text from unnest(k.confkey) with ordinality u(num, at) join pg_attribute a
             on a.attrelid = k.confrelid and a.attnum = u.num order by at) as to_columns
from pg_constraint k
join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
left join pg_class f on f.oid = k.confrelid left join pg_namespace fn on fn.oid = f.relnamespace
where k.contype in ('p', 'u', 'f')
"""
Name = tuple[str, str]


@dataclass(frozen=True)
class Column:
    """One column and its Postgres type."""

    name: str
    type: str
    nullable: bool
    filled: bool


@dataclass
class Table:
    """One table or view."""

    schema: str
    name: str
    columns: dict[str, Column] = field(default_factory=dict)
    primary: tuple[str, ...] = ()
    constraints: list[str] = field(default_factory=list)
    foreign: list[tuple[tuple[str, ...], Name, tuple[str, ...]]] = field(default_factory=list)

    @property
    def graphql(self) -> str:
        """The name of its root field: tables outside `public` carry their schema."""
        return self.name if self.schema == "public" else f"{self.schema}_{self.name}"

    @property
    def sql(self) -> str:
        """Its quoted name."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"


def quoted(name: str) -> str:
    """Quote an identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'


async def read_tables(pool: asyncpg.Pool) -> dict[Name, Table]:
    """Read all tables that the role can see."""
    tables: dict[Name, Table] = {}
    for row in await pool.fetch(COLUMNS):
        table = tables.setdefault((row["schema"], row["name"]), Table(row["schema"], row["name"]))
        table.columns[row["column"]] = Column(row["column"], row["type"], row["nullable"], row["filled"])
    for row in await pool.fetch(KEYS):
        table = tables.get((row["schema"], row["name"]))
        if table is None:
            continue
        if row["kind"] == "f":
            target = (row["to_schema"], row["to_name"])
            table.foreign.append((tuple(row["columns"]), target, tuple(row["to_columns"])))
        else:
            table.constraints.append(row["constraint"])
            table.primary = tuple(row["columns"]) if row["kind"] == "p" else table.primary
    return tables
