"""SQL out of Hasura's arguments: boolean expressions, ordering, and values that are always bound, never pasted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hasura.errors import Refused
from hasura.tables import Table, quoted

if TYPE_CHECKING:
    from hasura.model import Model

OPERATORS = {
    "_eq": "=", "_neq": "<>", "_gt": ">", "_lt": "<", "_gte": ">=", "_lte": "<=",
    "_like": "like", "_nlike": "not like", "_ilike": "ilike", "_nilike": "not ilike",
    "_regex": "~", "_iregex": "~*",
}  # fmt: skip


class Statement:
    """Bound values of one statement, and the session whose variables its conditions may name."""

    def __init__(self, model: Model, variables: Mapping[str, str]) -> None:
        self.model = model
        self.variables = variables
        self.values: list[str | None] = []
        self.aliases = 0

    def bind(self, value: Any, type_name: str) -> str:
        """Return a placeholder; every value travels as text and is cast by Postgres itself."""
        if isinstance(value, str) and value.lower().startswith("x-hasura-"):
            name = value.lower()
            if name not in self.variables:
                raise Refused(f'missing session variable: "{name}"', "not-found")
            value = self.variables[name]
        if value is not None and type_name in {"json", "jsonb"}:
            value = json.dumps(value)
        elif isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, list):
            value = "{" + ",".join(json.dumps(str(one)) for one in value) + "}"
        self.values.append(None if value is None else str(value))
        return f"${len(self.values)}::text::{quoted(type_name)}"

    def condition(self, table: Table, alias: str, expression: Mapping[str, Any] | None) -> str:
        """Return the SQL of a boolean expression over one row of a table."""
        parts = [self._part(table, alias, key, value) for key, value in (expression or {}).items()]
        return " and ".join(f"({part})" for part in parts) or "true"

    def _part(self, table: Table, alias: str, key: str, value: Any) -> str:
        if key in {"_and", "_or", "$and", "$or"}:
            word, empty = (" and ", "true") if key.endswith("and") else (" or ", "false")
            several = value if isinstance(value, list) else [value]
            return word.join(f"({self.condition(table, alias, one)})" for one in several) or empty
        if key in {"_not", "$not"}:
            return f"not ({self.condition(table, alias, value)})"
        if key in table.columns:
            return self._comparison(table, alias, key, value)
        link = self.model.link(table, key)
        if link is None:
            raise Refused(f'field "{key}" not found in type: "{table.graphql}_bool_exp"', "validation-failed")
        self.aliases += 1
        inner = f"r{self.aliases}"
        target = self.model.tables[link.target]
        joined = " and ".join(f"{inner}.{quoted(far)} = {alias}.{quoted(near)}" for near, far in link.pairs)
        return f"exists (select from {target.sql} {inner} where {joined} and {self.condition(target, inner, value)})"

    def _comparison(self, table: Table, alias: str, column: str, value: Any) -> str:
        left, type_name = f"{alias}.{quoted(column)}", table.columns[column].type
        tests = value if isinstance(value, dict) else {"_eq": value}
        return " and ".join(self._test(left, type_name, name, one) for name, one in tests.items()) or "true"

    def _test(self, left: str, type_name: str, name: str, value: Any) -> str:
        name = name.replace("$", "_")
        if name == "_is_null":
            return f"{left} is {'' if value else 'not '}null"
        if name in {"_in", "_nin"}:
            listed = ", ".join(self.bind(one, type_name) for one in value)
            empty, word = ("false", "in") if name == "_in" else ("true", "not in")
            return f"{left} {word} ({listed})" if listed else empty
        if name not in OPERATORS:
            raise Refused(f"unknown operator: {name}", "validation-failed")
        return f"{left} {OPERATORS[name]} {self.bind(value, type_name)}"


def ordering(table: Table, alias: str, order_by: Any) -> str:
    """Return an ORDER BY clause, empty where nothing is asked."""
    several = order_by if isinstance(order_by, list) else [order_by] if order_by else []
    terms = [
        f"{alias}.{quoted(column)} {direction.replace('_', ' ')}"
        for one in several
        for column, direction in one.items()
        if column in table.columns
    ]
    return f" order by {', '.join(terms)}" if terms else ""
