"""Numbered variables: ``CS_N``, ``FRONTEND_APP_N_*``, ``REMOTE_SCHEMA_N_*`` and ``INTERNAL_ROUTE_N_*``. Gaps are fine.

``CS_N=name:template[:port[:route]]``; each ``CS_N_*`` stands above what the line says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from nself_sdk.environment import ALIASES, Environment
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.project import Project, Route
from nself_sdk.store import kinds
from nself_sdk.store.envfiles import Variable
from nself_sdk.store.facts import OFF, ON

#: Templates under their older names.
_TEMPLATES = {"fastapi": "fastapi-py", "express": "express-js", "nest-js": "nestjs", "nest-ts": "nestjs"}
#: What a Hasura asks itself, as tools before us called it: no endpoint of the stack.
_STITCHED = {"URL", "HEADERS"}

#: The variables of one number, by what follows the number; the line itself under the empty text.
Group = dict[str, Variable]


def prefixes() -> dict[str, str]:
    """The kinds that are read here, each with the prefix of its variables."""
    return {**kinds.numbered(), "Route": "INTERNAL_ROUTE_"}


def add_all(project: Project, environment: Environment, left: dict[str, Variable], problems: list[Problem]) -> None:
    """Add everything that numbered variables declare; what is understood is taken out of ``left``."""
    left.pop("FRONTEND_APP_COUNT", None)
    flag = left.pop("REMOTE_SCHEMAS_ENABLED", None)
    without = {"RemoteSchema"} if flag and flag.value.lower() in OFF else set[str]()
    known: dict[str, type[Any]] = {**kinds.all_kinds(), "Route": Route}
    for name, prefix in prefixes().items():
        for number, group in sorted(_grouped(prefix, left, problems).items()):
            if name in without:
                continue
            if not _is_stitched(known[name], group):
                problems += _added(project, known[name], number, group, environment)
            left |= {variable.name: variable for variable in group.values()}


def _added(project: Project, kind: type[Any], number: int, group: Group, environment: Environment) -> Iterable[Problem]:
    """What keeps the service or route of a group from being added, each at one of its lines."""
    first = min(group.values(), key=lambda variable: variable.name)
    places = {variable.where for variable in group.values()}
    try:
        project.add(_made(kind, number, group, environment))
    except DeclarationError as error:
        return [p if p.where in places else replace(p, where=first.where) for p in error.problems]
    return ()


def fields(kind: type[Any]) -> Mapping[str, str]:
    """What may follow the number, and the path of the field that it sets."""
    return {"SUBDOMAIN": "name", "RATE_LIMIT": "rate_limit"} if kind is Route else kinds.variables(kind)


def _is_stitched(kind: type[Any], group: Group) -> bool:
    return kind.__name__ == "RemoteSchema" and "DOMAIN" not in group and not _STITCHED.isdisjoint(group)


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
    line = _LINES.get(kind.__name__, _no_line)(number, group)
    sources: dict[str, Variable] = {}
    for suffix, path in fields(kind).items():
        if suffix in group and (variable := group.pop(suffix)).value:
            sources.setdefault(path, variable)
    if routed := None if kind is Route else _route_here(group, environment):
        sources["route"] = routed
    _refuse_other_ports(sources)
    values = {**line, **kinds.values(kind, sources), **(_target(group) if kind is Route else {})}
    if "route" in values:
        values["route"] = _host(values["route"], environment)
    if kind.__name__ == "CustomService":
        values |= _of_custom(values, group)
    if "name" in values and kind is not Route:
        values["name"] = values["name"].replace("_", "-")
    values = {name: value for name, value in values.items() if value not in ("", {})}
    _refuse_nameless(kind, number, values)
    return kinds.made(kind, values, sources, environment)


def _refuse_nameless(kind: type[Any], number: int, values: Mapping[str, Any]) -> None:
    """What a class cannot be without is said, and in which variable."""
    words = {path: suffix for suffix, path in [*fields(kind).items()][::-1]}
    prefix = f"{prefixes()[kind.__name__]}{number}_"
    required = [name for name, info in kind.model_fields.items() if info.is_required() and name not in values]
    if required:
        raise DeclarationError([Problem(kind.__name__, f"has no {n}", f"write {prefix}{words[n]}") for n in required])


def _of_custom(values: Mapping[str, Any], group: Group) -> dict[str, Any]:
    """What only custom services have: variables of their own code, older templates, a folder."""
    name, template = values.get("name", ""), values.get("template", "")
    # A host name has no underscore; the folder of the code may have been made under the name as it is written.
    folder = values.get("folder") or (name if "_" in name else "")
    environment = {**values.get("environment", {}), **_own(group)}
    return {"environment": environment, "template": _TEMPLATES.get(template, template), "folder": folder}


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


def _no_line(number: int, group: Group) -> dict[str, Any]:  # noqa: ARG001 - as `_line`
    return {}


#: What a number says without its variables: as in the old system, each frontend has the next port.
_LINES: dict[str, Callable[[int, Group], dict[str, Any]]] = {
    "CustomService": _line,
    "FrontendApp": lambda number, _: {"port": 2999 + number},
}


def _refuse_other_ports(sources: Mapping[str, Variable]) -> None:
    """A port is digits: what else a number may be written as is a mistake."""
    port = sources.get("port")
    if port and not re.fullmatch(r"[0-9]{1,5}", port.value):
        raise DeclarationError(Problem(port.where, f"{port.value!r} is not a port", "from 1 to 65535"))


def _own(group: Group) -> dict[str, str]:
    """What ``CS_N_ENV=A=1,B=2`` gives to the service's own code.

    Raises:
        DeclarationError: it is not of that form.
    """
    given = group.pop("ENV", None)
    pairs = [pair.partition("=") for pair in given.value.split(",") if pair.strip()] if given else []
    if given and any(not equals or not re.fullmatch(r"\s*[A-Za-z_]\w*\s*", name) for name, equals, _ in pairs):
        raise DeclarationError(Problem(given.where, "is no list of variables", "write NAME=value,OTHER=value"))
    return {name.strip(): value.strip().replace("$", "$$") for name, _, value in pairs}


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


def _host(route: str | None, environment: Environment) -> str | None:
    """A route such as ``api.v2`` is one of the environment's own domain: there is no top-level domain with a digit."""
    several = re.fullmatch(r".*\.(?!xn--)[^.]*[0-9][^.]*", route or "")
    return f"{route}.{environment.domain}" if several else route


def _target(group: Group) -> dict[str, Any]:
    """The service and the port that an internal route leads to, and how long its connections may be silent."""
    target = group.pop("TARGET", None)
    group.pop("NAME", None)
    socket = group.pop("WEBSOCKET", None)
    service, _, port = (target.value if target else "hasura:8080").partition(":")
    silent = {"read_timeout": 3600} if socket and socket.value.lower() in ON else {}
    return {"service": service, "port": port or "80", **silent}
