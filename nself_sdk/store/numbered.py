"""Numbered variables: ``CS_N``, ``FRONTEND_APP_N_*``, ``REMOTE_SCHEMA_N_*`` and ``INTERNAL_ROUTE_N_*``. Gaps are fine.

``CS_N=name:template[:port[:route]]``; each ``CS_N_*`` stands above what the line says.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from nself_sdk.environment import ALIASES, Environment
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.project import Project, Route
from nself_sdk.store import kinds
from nself_sdk.store.envfiles import Variable
from nself_sdk.store.facts import blamed

#: The kinds that are read here, each with the prefix of its variables.
PREFIXES = {
    "CustomService": "CS_",
    "FrontendApp": "FRONTEND_APP_",
    "RemoteSchema": "REMOTE_SCHEMA_",
    "Route": "INTERNAL_ROUTE_",
}
# What follows the number, and the field that it sets, besides what the class itself says.
_FIELDS: dict[str, dict[str, str]] = {
    "CustomService": {"NAME": "name", "TEMPLATE": "template"},
    "FrontendApp": {"SYSTEM_NAME": "name", "NAME": "name", "PORT": "port", "ROUTE": "route", "DIST": "dist"},
    "RemoteSchema": {"NAME": "name", "DOMAIN": "domain", "MEMORY": "memory"},
    "Route": {"SUBDOMAIN": "name"},
}
#: Handed on to a custom service's own code.
HANDED_ON = ("TABLE_PREFIX", "REDIS_PREFIX", "QUEUE_NAME")

#: Templates under their older names.
_TEMPLATES = {"fastapi": "fastapi-py", "express": "express-js", "nest-js": "nestjs", "nest-ts": "nestjs"}
_OFF = {"false", "0", "no", "off"}

#: The variables of one number, by what follows the number; the line itself under the empty text.
Group = dict[str, Variable]


def add_all(project: Project, environment: Environment, left: dict[str, Variable], problems: list[Problem]) -> None:
    """Add everything that numbered variables declare; what is understood is taken out of ``left``."""
    left.pop("FRONTEND_APP_COUNT", None)
    flag = left.pop("REMOTE_SCHEMAS_ENABLED", None)
    without = {"RemoteSchema"} if flag and flag.value.lower() in _OFF else set[str]()
    known: dict[str, type[Any]] = {**kinds.all_kinds(), "Route": Route}
    for name, prefix in PREFIXES.items():
        if name not in known:
            continue
        for number, group in sorted(_grouped(prefix, left, problems).items()):
            first = min(group.values(), key=lambda variable: variable.name)
            if name not in without:
                try:
                    project.add(_made(known[name], number, group, environment))
                except DeclarationError as error:
                    places = {variable.where for variable in group.values()}
                    problems += [p if p.where in places else replace(p, where=first.where) for p in error.problems]
                left |= {variable.name: variable for variable in group.values()}


def fields(kind: type[Any]) -> dict[str, str]:
    """What may follow the number, and the field that it sets; the class knows both best."""
    own = {suffix: field for suffix, field in getattr(kind, "variables", {}).items() if field in kind.model_fields}
    return {**{s: f for s, f in _FIELDS[kind.__name__].items() if f in kind.model_fields}, **own}


def _grouped(prefix: str, left: dict[str, Variable], problems: list[Problem]) -> dict[int, Group]:
    """The variables with that prefix, by number, taken out of ``left``."""
    groups: dict[int, Group] = {}
    for name in [name for name in left if name.startswith(prefix)]:
        index, _, suffix = name.removeprefix(prefix).partition("_")
        if re.fullmatch(r"[1-9][0-9]{0,3}", index):
            groups.setdefault(int(index), {})[suffix] = left.pop(name)
        else:
            fix = f"number them {prefix}1, {prefix}2, ...; gaps are fine"
            problems.append(Problem(left.pop(name).where, f"{index!r} is not a number", fix))
    return groups


def _made(kind: type[Any], number: int, group: Group, environment: Environment) -> Any:
    """The service or route that a group declares; what stays in the group is not honoured."""
    values: dict[str, Any] = {}
    if kind.__name__ == "CustomService":
        values |= _line(number, group)
    sources: dict[str, Variable] = {}
    for suffix, field in fields(kind).items():
        if suffix in group:
            sources[field] = group.pop(suffix)
            values[field] = _field(kind, field, sources[field])
    if kind.__name__ == "Route":
        values |= _target(group)
    elif routed := _route_here(group, environment):
        sources["route"], values["route"] = routed, routed.value
    if kind.__name__ == "CustomService":
        values |= _own(group)
        values["template"] = _TEMPLATES.get(values.get("template", ""), values.get("template", ""))
    if "name" in values and kind is not Route:
        values["name"] = values["name"].replace("_", "-")
    try:
        return kind(**{name: value for name, value in values.items() if value != ""})
    except TypeError as error:
        raise DeclarationError(Problem(kind.__name__, str(error).partition(") ")[2] or str(error))) from None
    except DeclarationError as error:
        raise DeclarationError(blamed(error, sources)) from None


def _line(number: int, group: Group) -> dict[str, Any]:
    """What ``CS_N`` itself says."""
    line = group.pop("", None)
    if line is None:
        return {"port": 8000 + number}
    form = "write name:template:port, and :route if it is not the name"
    if not line.value.strip():
        raise DeclarationError(Problem(line.where, "is empty", form))
    name, *rest = (part.strip() for part in line.value.split(":", 3))
    if not rest and "TEMPLATE" not in group:
        raise DeclarationError(Problem(line.where, "has 1 field and needs at least 2", form))
    template, port, route = (*rest, "", "", "")[:3]
    if port and not re.fullmatch(r"[0-9]{1,5}", port):
        raise DeclarationError(Problem(line.where, f"{port!r} is not a port", "give a number from 1 to 65535"))
    return {"name": name, "template": template, "port": int(port or 8000 + number), "route": route}


def _field(kind: type[Any], field: str, variable: Variable) -> Any:
    if field == "port":
        if re.fullmatch(r"[0-9]{1,5}", variable.value):
            return int(variable.value)
        raise DeclarationError(Problem(variable.where, f"{variable.value!r} is not a port", "from 1 to 65535"))
    return variable.value if field == "name" else kinds.value(kind, field, variable)


def _own(group: Group) -> dict[str, Any]:
    """What only custom services have: variables for their own code."""
    own: dict[str, Any] = {}
    # The edge lets every service upgrade a connection.
    group.pop("WEBSOCKET", None)
    handed = {name: group.pop(name).value for name in HANDED_ON if name in group}
    if "ENV" in group and "=" in group["ENV"].value:
        pairs = (pair.partition("=") for pair in group.pop("ENV").value.split(","))
        handed |= {name.strip(): value.strip() for name, _, value in pairs}
    if handed:
        own["environment"] = {name: value.replace("$", "$$") for name, value in handed.items()}
    return own


def _route_here(group: Group, environment: Environment) -> Variable | None:
    """The route that is meant for this environment alone; those of other environments are understood as well."""
    here: Variable | None = None
    for suffix in [s for s in group if s.endswith(("_ROUTE", "_DOMAIN"))]:
        name = suffix.rpartition("_")[0].lower()
        if name in ALIASES or name == environment.name:
            variable = group.pop(suffix)
            if ALIASES.get(name, name) in {environment.name, environment.profile}:
                here = variable
    return here


def _target(group: Group) -> dict[str, Any]:
    """The service and the port that an internal route leads to."""
    target = group.pop("TARGET", None)
    group.pop("NAME", None)
    group.pop("WEBSOCKET", None)
    service, _, port = (target.value if target else "hasura:8080").partition(":")
    return {"service": service, "port": port or "80"}
