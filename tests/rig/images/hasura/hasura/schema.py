"""The GraphQL schema of one role, in Hasura's names: x, x_by_pk, x_aggregate, insert_x, update_x, delete_x."""

from __future__ import annotations

from functools import cache
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
)

from hasura.model import Link, Model, Right
from hasura.rows import Rows
from hasura.tables import Table

Argument, Field, Input = GraphQLArgument, GraphQLField, GraphQLInputField
Many, Always = GraphQLList, GraphQLNonNull
KNOWN = {"int4": GraphQLInt, "int2": GraphQLInt, "bool": GraphQLBoolean, "float8": GraphQLFloat,
         "text": GraphQLString, "varchar": GraphQLString}  # fmt: skip
DIRECTIONS = GraphQLEnumType(
    "order_by",
    {f"{way}{nulls}": f"{way}{nulls}" for way in ("asc", "desc") for nulls in ("", "_nulls_first", "_nulls_last")},
)
TEXT_TESTS = ("_like", "_nlike", "_ilike", "_nilike", "_regex", "_iregex")


@cache
def scalar(type_name: str) -> GraphQLScalarType:
    """Return the GraphQL type of a Postgres type; unknown ones keep their Postgres name, as in Hasura."""
    return KNOWN.get(type_name) or GraphQLScalarType(type_name)


@cache
def comparison(type_name: str) -> GraphQLInputObjectType:
    """Return the tests that a column of a type allows."""
    one = scalar(type_name)
    fields = {name: Input(one) for name in ("_eq", "_neq", "_gt", "_lt", "_gte", "_lte")}
    fields |= {name: Input(Many(Always(one))) for name in ("_in", "_nin")}
    fields |= {name: Input(one) for name in TEXT_TESTS if one is GraphQLString}
    # text and varchar are both String: one type of that name alone may exist.
    return GraphQLInputObjectType(f"{one.name}_comparison_exp", fields | {"_is_null": Input(GraphQLBoolean)})


def build(model: Model, role: str) -> GraphQLSchema:
    """Return the schema that a role sees."""
    return _Builder(model, role).schema()


class _Builder:
    def __init__(self, model: Model, role: str) -> None:
        self.model, self.role = model, role
        self.types: dict[str, Any] = {}
        self.comparisons = {scalar(t): comparison("text" if scalar(t) is GraphQLString else t) for t in self._types()}

    def _types(self) -> set[str]:
        return {column.type for table in self.model.tables.values() for column in table.columns.values()}

    def schema(self) -> GraphQLSchema:
        queries: dict[str, Field] = {}
        mutations: dict[str, Field] = {}
        for table in self.model.tables.values():
            queries |= self._queries(table)
            mutations |= self._mutations(table)
        if not queries:
            text = "There are no queries available to the current role"
            queries["no_queries_available"] = Field(Always(GraphQLString), resolve=lambda *_: text)
        return GraphQLSchema(
            query=GraphQLObjectType("query_root", queries),
            mutation=GraphQLObjectType("mutation_root", mutations) if mutations else None,
            subscription=GraphQLObjectType("subscription_root", queries),
        )

    def _right(self, table: Table, action: str) -> Right | None:
        return self.model.right(table, self.role, action)

    def _once(self, name: str, make: Any) -> Any:
        if name not in self.types:
            self.types[name] = make(name)
        return self.types[name]

    # --- types ---

    def row(self, table: Table) -> GraphQLObjectType:
        return self._once(table.graphql, lambda name: GraphQLObjectType(name, lambda: self._columns(table)))

    def _columns(self, table: Table) -> dict[str, Field]:
        right = self._right(table, "select")
        fields: dict[str, Field] = {}
        for name in right.columns if right else ():
            column = table.columns[name]
            one = scalar(column.type)
            fields[name] = Field(one if column.nullable else Always(one))
        for name, link in self.model.links(table).items():
            target = self.model.tables[link.target]
            if self._right(target, "select"):
                fields[name] = self._relation(target, link)
                if link.many and self._right(target, "select").aggregations:
                    fields[f"{name}_aggregate"] = self._aggregate(target, link)
        return fields

    def where(self, table: Table) -> GraphQLInputObjectType:
        return self._once(
            f"{table.graphql}_bool_exp", lambda name: GraphQLInputObjectType(name, lambda: self._tests(table))
        )

    def _tests(self, table: Table) -> dict[str, Input]:
        this, right = self.where(table), self._right(table, "select")
        fields = {"_and": Input(Many(Always(this))), "_or": Input(Many(Always(this))), "_not": Input(this)}
        fields |= {name: Input(self.comparisons[scalar(table.columns[name].type)]) for name in right.columns}
        for name, link in self.model.links(table).items():
            target = self.model.tables[link.target]
            if self._right(target, "select"):
                fields[name] = Input(self.where(target))
        return fields

    def values(self, table: Table, kind: str, columns: tuple[str, ...]) -> GraphQLInputObjectType:
        fields = {name: Input(scalar(table.columns[name].type)) for name in columns}
        return self._once(f"{table.graphql}_{kind}", lambda name: GraphQLInputObjectType(name, fields))

    def order(self, table: Table) -> GraphQLInputObjectType:
        fields = {name: Input(DIRECTIONS) for name in self._right(table, "select").columns}
        return self._once(f"{table.graphql}_order_by", lambda name: GraphQLInputObjectType(name, fields))

    def response(self, table: Table) -> GraphQLObjectType:
        fields = {"affected_rows": Field(Always(GraphQLInt))}
        if self._right(table, "select"):
            fields["returning"] = Field(Always(Many(Always(self.row(table)))))
        return self._once(f"{table.graphql}_mutation_response", lambda name: GraphQLObjectType(name, fields))

    def _list_arguments(self, table: Table) -> dict[str, Argument]:
        return {
            "where": Argument(self.where(table)),
            "order_by": Argument(Many(Always(self.order(table)))),
            "limit": Argument(GraphQLInt),
            "offset": Argument(GraphQLInt),
        }

    def _key(self, table: Table) -> dict[str, Argument]:
        return {name: Argument(Always(scalar(table.columns[name].type))) for name in table.primary}

    # --- fields ---

    def _queries(self, table: Table) -> dict[str, Field]:
        right, name = self._right(table, "select"), table.graphql
        if right is None:
            return {}

        async def several(_: Any, info: Any, **args: Any) -> Any:
            return await rows_of(info).select(table, args)

        async def by_key(_: Any, info: Any, **key: Any) -> Any:
            return next(iter(await rows_of(info).select(table, {}, key)), None)

        many = Always(Many(Always(self.row(table))))
        fields = {name: Field(many, args=self._list_arguments(table), resolve=several)}
        if table.primary and set(table.primary) <= set(right.columns):
            fields[f"{name}_by_pk"] = Field(self.row(table), args=self._key(table), resolve=by_key)
        if right.aggregations:
            fields[f"{name}_aggregate"] = self._aggregate(table, None)
        return fields

    def _relation(self, target: Table, link: Link) -> Field:
        async def related(row: Any, info: Any, **args: Any) -> Any:
            fixed = {far: row[near] for near, far in link.pairs}
            if None in fixed.values():
                return [] if link.many else None
            found = await rows_of(info).select(target, args, fixed)
            return found if link.many else next(iter(found), None)

        if link.many:
            return Field(Always(Many(Always(self.row(target)))), args=self._list_arguments(target), resolve=related)
        return Field(self.row(target), resolve=related)

    def _aggregate(self, table: Table, link: Link | None) -> Field:
        async def aggregate(row: Any, info: Any, **args: Any) -> Any:
            fixed = {far: row[near] for near, far in link.pairs} if link else None
            rows = rows_of(info)
            return {
                "aggregate": {"count": await rows.count(table, args, fixed)},
                "nodes": await rows.select(table, args, fixed),
            }

        counted = self._once(
            f"{table.graphql}_aggregate_fields",
            lambda name: GraphQLObjectType(name, {"count": Field(Always(GraphQLInt))}),
        )
        fields = lambda: {"aggregate": Field(counted), "nodes": Field(Always(Many(Always(self.row(table)))))}  # noqa: E731
        whole = self._once(f"{table.graphql}_aggregate", lambda name: GraphQLObjectType(name, fields))
        return Field(Always(whole), args=self._list_arguments(table), resolve=aggregate)

    def _mutations(self, table: Table) -> dict[str, Field]:
        return self._inserts(table) | self._updates(table) | self._deletes(table)

    def _inserts(self, table: Table) -> dict[str, Field]:
        right, name = self._right(table, "insert"), table.graphql
        if right is None:
            return {}

        async def several(_: Any, info: Any, objects: Any, on_conflict: Any = None) -> Any:
            return answer(await rows_of(info).insert(table, objects, on_conflict))

        async def one(_: Any, info: Any, object: Any, on_conflict: Any = None) -> Any:  # noqa: A002 (Hasura's word)
            return next(iter(await rows_of(info).insert(table, [object], on_conflict)), None)

        columns = tuple(column for column in right.columns if column not in right.preset)
        values = Always(self.values(table, "insert_input", columns))
        conflict = {"on_conflict": Argument(self._conflict(table, columns))} if table.constraints and columns else {}
        fields = {
            f"insert_{name}": Field(
                self.response(table), args={"objects": Argument(Always(Many(values)))} | conflict, resolve=several
            )
        }
        if self._right(table, "select"):
            fields[f"insert_{name}_one"] = Field(
                self.row(table), args={"object": Argument(values)} | conflict, resolve=one
            )
        return fields

    def _conflict(self, table: Table, columns: tuple[str, ...]) -> GraphQLInputObjectType:
        names, upper = table.graphql, {"constraint": table.constraints, "update_column": columns}
        enums = {
            kind: self._once(f"{names}_{kind}", lambda name, of=of: GraphQLEnumType(name, {one: one for one in of}))
            for kind, of in upper.items()
        }
        fields = {
            "constraint": Input(Always(enums["constraint"])),
            "update_columns": Input(Many(Always(enums["update_column"]))),
        }
        return self._once(f"{names}_on_conflict", lambda name: GraphQLInputObjectType(name, fields))

    def _updates(self, table: Table) -> dict[str, Field]:
        right, name = self._right(table, "update"), table.graphql
        if right is None or not right.columns:
            return {}

        async def several(_: Any, info: Any, where: Any, **args: Any) -> Any:
            return answer(await rows_of(info).update(table, where, args))

        async def by_key(_: Any, info: Any, pk_columns: Any, **args: Any) -> Any:
            where = {column: {"_eq": value} for column, value in pk_columns.items()}
            return next(iter(await rows_of(info).update(table, where, args)), None)

        change = {word: Argument(self.values(table, f"{word[1:]}_input", right.columns)) for word in ("_set", "_inc")}
        fields = {}
        if self._right(table, "select"):
            where = {"where": Argument(Always(self.where(table)))}
            fields[f"update_{name}"] = Field(self.response(table), args=where | change, resolve=several)
            if table.primary:
                key = Always(self.values(table, "pk_columns_input", table.primary))
                fields[f"update_{name}_by_pk"] = Field(
                    self.row(table), args={"pk_columns": Argument(key)} | change, resolve=by_key
                )
        return fields

    def _deletes(self, table: Table) -> dict[str, Field]:
        name = table.graphql
        if self._right(table, "delete") is None or self._right(table, "select") is None:
            return {}

        async def several(_: Any, info: Any, where: Any) -> Any:
            return answer(await rows_of(info).delete(table, where))

        async def by_key(_: Any, info: Any, **key: Any) -> Any:
            where = {column: {"_eq": value} for column, value in key.items()}
            return next(iter(await rows_of(info).delete(table, where)), None)

        fields = {
            f"delete_{name}": Field(
                self.response(table), args={"where": Argument(Always(self.where(table)))}, resolve=several
            )
        }
        if table.primary:
            fields[f"delete_{name}_by_pk"] = Field(self.row(table), args=self._key(table), resolve=by_key)
        return fields


def rows_of(info: Any) -> Rows:
    """Return the rows of the request that a resolver answers."""
    return info.context


def answer(rows: list[Any]) -> dict[str, Any]:
    """Return a mutation's answer."""
    return {"affected_rows": len(rows), "returning": rows}
