"""The cascade: which env files an environment is made of, and what every variable is in it.

One cascade, used by every command; a later file wins::

    .env  <  .env.<name>  <  .environments/<name>/.env  <  .env.local (environments based on dev only)

``PROD_DOMAIN`` is the ``BASE_DOMAIN`` of prod alone, and stands above one that the same file or a weaker one says.

``${NAME}`` and ``${NAME:-otherwise}`` stand for the variable's value in the same environment, except in single quotes;
every other ``$`` means itself. Secrets are apart, in ``.environments/<name>/.env.secrets``, and always literal; what
other files say of them is not read where env files are the project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nself_sdk.environment import ALIASES, Profile, is_dns_label
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.model import did_you_mean
from nself_sdk.store import envfiles
from nself_sdk.store.envfiles import Variable, is_secret

#: In ``.environments/<name>/.env`` of an environment with a name of its own: what it is based on.
BASE = "ENV_BASE"

_FOLDER = ".environments"
_PROFILES: tuple[Profile, ...] = ("dev", "staging", "prod")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^{}]*))?\}")


def names(folder: Path) -> list[str]:
    """Every environment: the three profiles, and each folder of the user's own."""
    found = [path.name for path in sorted((folder / _FOLDER).glob("*/")) if is_dns_label(path.name)]
    return [*_PROFILES, *(name for name in found if name not in ALIASES)]


def canonical(folder: Path, name: str) -> str:
    """The one name of an environment that has several spellings.

    Raises:
        DeclarationError: there is no such environment.
    """
    own = ALIASES.get(name.lower(), name)
    if own not in (known := names(folder)):
        fix = f"{did_you_mean(name, known)}; or make it with: nself-sdk env create NAME --base staging"
        raise DeclarationError(Problem("environment", f"unknown environment {name!r}", fix))
    return own


def home(folder: Path, name: str) -> Path:
    """The folder of an environment, under whichever spelling it exists.

    Raises:
        DeclarationError: it exists under two spellings.
    """
    return _one([folder / _FOLDER / spelling for spelling in _spellings(name)])


def base(folder: Path, name: str) -> Profile:
    """The profile that an environment is, or is based on.

    Raises:
        DeclarationError: it does not say.
    """
    if profile := ALIASES.get(name):
        return profile
    path = home(folder, name) / ".env"
    own = envfiles.located(path) if path.exists() else {}
    stated = own.get(BASE) or own.get("ENV")
    profile = ALIASES.get(stated.value.lower()) if stated else None
    if profile is None:
        what = f"{stated.value!r} is no base" if stated else f"{name!r} does not say what it is based on"
        fix = f"write {BASE}=dev, staging or prod into {path}"
        raise DeclarationError(Problem(stated.where if stated else str(path), what, fix))
    return profile


def files(folder: Path, name: str) -> list[Path]:
    """The env files of an environment that exist, the weakest first."""
    local = [folder / ".env.local"] if base(folder, name) == "dev" else []
    named = _one([folder / f".env.{spelling}" for spelling in _spellings(name)])
    found = [folder / ".env", named, home(folder, name) / ".env", *local]
    return [file for file in found if file.exists()]


def variables(folder: Path, name: str) -> dict[str, Variable]:
    """Every variable of an environment, with its value and the place that decided it.

    Raises:
        DeclarationError: a file is wrong, or a variable stands for one that is not set; all problems at once.
    """
    found: dict[str, Variable] = {}
    problems: list[Problem] = []
    order = files(folder, name)
    for path in order:
        try:
            found |= envfiles.located(path)
        except DeclarationError as error:
            problems += error.problems
    if own := _own_domain(name, found, order):
        found["BASE_DOMAIN"] = replace(own, value=_resolved(own, found, problems), quoted=True)
    unread = () if (folder / "stack.py").exists() else [key for key in found if is_secret(key)]
    read = {key: variable for key, variable in found.items() if key not in unread}
    lent = {
        each[1] for variable in read.values() if not variable.quoted for each in _REFERENCE.finditer(variable.value)
    }
    resolved = {
        key: replace(variable, value=_resolved(variable, found, problems), lent=key in lent)
        for key, variable in read.items()
    }
    resolved |= {key: found[key] for key in unread}
    if problems:
        raise DeclarationError(problems)
    return resolved


def _own_domain(name: str, found: Mapping[str, Variable], order: list[Path]) -> Variable | None:
    """What says the domain of that environment alone, unless a stronger file says it of all."""
    words = [f"{spelling.upper().replace('-', '_')}_DOMAIN" for spelling in _spellings(name)]
    own = next((found[word] for word in words if word in found and found[word].value), None)
    of_all = found.get("BASE_DOMAIN", own)
    return own if own and of_all and order.index(own.file) >= order.index(of_all.file) else None


def _resolved(
    variable: Variable, known: Mapping[str, Variable], problems: list[Problem], above: tuple[str, ...] = ()
) -> str:
    """The value with what it stands for; what is wrong is added to ``problems``."""

    def value_of(reference: re.Match[str]) -> str:
        name, otherwise = reference[1], reference[2]
        if name in above or name == variable.name:
            problems.append(Problem(variable.where, f"{name} stands for itself", "write its value"))
        elif name in known and (known[name].value or otherwise is None):
            return _resolved(known[name], known, problems, (*above, variable.name))
        elif otherwise is None:
            fix = "set it, or put the value in single quotes if it means itself"
            problems.append(Problem(variable.where, f"stands for {name}, which is not set", fix))
        return otherwise or ""

    return variable.value if variable.quoted else _REFERENCE.sub(value_of, variable.value)


def _spellings(name: str) -> list[str]:
    profile = ALIASES.get(name)
    return [name, *(other for other, meant in ALIASES.items() if meant == profile and other != name and profile)]


def _one(paths: list[Path]) -> Path:
    """The one of several spellings of a path that exists; the first when none does."""
    found = [path for path in paths if path.exists()]
    if len(found) > 1:
        what = f"is the same environment as {found[1].name}"
        raise DeclarationError(Problem(str(found[0]), what, "keep one of them"))
    return found[0] if found else paths[0]
