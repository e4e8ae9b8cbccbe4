"""Facts: which variables of the env files set facts of the environment, and what may not be said in prod."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nself_sdk.environment import ALIASES, Environment
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.store.envfiles import Variable

#: Variable: fact. Of several variables for one fact, the first that is set counts.
FACTS = {
    "BASE_DOMAIN": "domain",
    "TLS": "tls",
    "SSL_PROVIDER": "tls",
    "SSL_MODE": "tls",
    "ACME_CA": "acme_ca",
    "LOG_LEVEL": "log_level",
    "DEBUG": "log_level",
    "NGINX_BIND_IP": "bind",
    "NGINX_PORT": "http_port",
    "NGINX_HTTP_PORT": "http_port",
    "NGINX_SSL_PORT": "https_port",
    "NGINX_HTTPS_PORT": "https_port",
    "HASURA_GRAPHQL_ENABLE_CONSOLE": "hasura_console",
    "HASURA_GRAPHQL_DEV_MODE": "hasura_dev_mode",
    "HASURA_DEV_MODE": "hasura_dev_mode",
    "ENABLE_HOT_RELOAD": "hot_reload",
    "FRONTENDS": "frontends",
    "IMAGE_REGISTRY": "registry",
    "MONITORING_REQUIRED": "monitoring_required",
    "REAL_MAIL_REQUIRED": "real_mail_required",
    "ADMIN_EMAIL": "admin_email",
    "SSL_EMAIL": "admin_email",
    "LETSENCRYPT_EMAIL": "admin_email",
}

# Spellings of the tools before us.
_MEANINGS = {
    "log_level": {"warn": "warning", **dict.fromkeys(("true", "1", "yes", "on"), "debug")},
    "tls": {
        "self-signed": "local-ca",
        "local": "local-ca",
        "custom": "own",
        "letsencrypt": "acme",
        "lets-encrypt": "acme",
    },
}
_NEVER = {"none", "false", "0", "no", "off"}
# Said for every environment by the tools before us; they meant those that others can reach.
_NOT_IN_DEV = {"letsencrypt", "lets-encrypt"}
_OFF_IN_PROD = {
    *("HASURA_GRAPHQL_ENABLE_CONSOLE", "HASURA_GRAPHQL_DEV_MODE", "HASURA_DEV_MODE"),
    *("DEBUG", "ENABLE_HOT_RELOAD"),
}
# What says which environment this is: true of the one that it names.
_NAMES = {"ENV", "NODE_ENV", "APP_ENV", "NSELF_ENV", "TARGET_ENV", "ENV_BASE"}

#: What means true and false in env files.
ON, OFF = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off", ""})

_PLACEHOLDER = re.compile(
    r"<.+>|x{3,}|\.{3}|todo|fixme|placeholder|(change|replace)[-_ ]?(me|this).*|(your|insert)[-_ ].*",
    re.IGNORECASE,
)


def stated(profile: str, variables: Mapping[str, Variable]) -> dict[str, Variable]:
    """The facts that the variables state in an environment: fact by fact, the variable that decides it."""
    found: dict[str, Variable] = {}
    meaningless = _NEVER | _NOT_IN_DEV if profile == "dev" else _NEVER
    for name, fact in FACTS.items():
        variable = variables.get(name)
        if variable and variable.value and not (fact in _MEANINGS and variable.value.lower() in meaningless):
            found.setdefault(fact, variable)
    return found


def is_fact(variable: Variable, variables: Mapping[str, Variable], environment: Environment) -> bool:
    """Whether it says something true about the environment, and nothing about the project."""
    if variable.name in _NAMES:
        return ALIASES.get(variable.value.lower(), variable.value) in {environment.name, environment.profile}
    if variable.name.removesuffix("_DOMAIN").lower().replace("_", "-") in {*ALIASES, environment.name}:
        return variable.name.endswith("_DOMAIN")  # `nself_sdk.store.cascade` reads it
    fact = FACTS.get(variable.name, "")
    decides = stated(environment.profile, variables).get(fact)
    return decides is not None and _meant(fact, decides.value) == _meant(fact, variable.value)


def environment(name: str, profile: str, variables: Mapping[str, Variable], **more: Any) -> Environment:
    """The environment of that name with the facts that its variables state.

    Raises:
        DeclarationError: a fact is wrong; each problem is at the line of its variable.
    """
    sources = {fact: variable for fact, variable in stated(profile, variables).items() if fact not in more}
    values = {fact: _meant(fact, variable.value) for fact, variable in sources.items()}
    plain = {key: variable.value for key, variable in variables.items()}
    try:
        return Environment.named(name, base=profile, variables=plain, **{**values, **more})
    except DeclarationError as error:
        raise DeclarationError(blamed(error, sources)) from None


def blamed(error: DeclarationError, sources: Mapping[str, Variable]) -> list[Problem]:
    """The problems of a model's fields, each at the line of the variable that set the field."""
    return [
        Problem(sources[field].where if field in sources else p.where, p.what, p.fix)
        for p in error.problems
        for path in [p.where.partition(".")[2]]
        for field in [path if path in sources else path.partition(".")[0]]
    ]


def problems(profile: str, variables: Mapping[str, Variable]) -> Iterator[Problem]:
    """What an environment's variables may not say: placeholders in prod, and what is switched off there."""
    if profile != "prod":
        return
    for variable in variables.values():
        if is_placeholder(variable.value):
            yield Problem(variable.where, "a placeholder is left in prod", "write the real value, or remove it")
    for variable in stated(profile, variables).values():
        if variable.name in _OFF_IN_PROD and variable.value.lower() in ON:
            fix = f"write {variable.name}=false into .environments/prod/.env"
            yield Problem(variable.where, "it is switched off in prod", fix)


def is_placeholder(value: str) -> bool:
    """Whether a value was to be replaced by a real one."""
    return _PLACEHOLDER.fullmatch(value.strip()) is not None


def _meant(fact: str, value: str) -> str:
    return _MEANINGS.get(fact, {}).get(value.lower(), value)
