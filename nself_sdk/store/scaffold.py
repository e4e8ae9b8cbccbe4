"""Scaffolds: files that are made once and then belong to the user."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import jinja2

from nself_sdk import resources
from nself_sdk.catalog.custom_service import CustomService
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, NselfError, Problem
from nself_sdk.project import Project
from nself_sdk.store import cascade, envfiles, facts, server


def services(folder: Path, project: Project) -> list[Path]:
    """The folder of each custom service that has none yet, from its template."""
    absent = {place: s for place, s in folders(folder, project).items() if not os.path.lexists(place)}
    for place, service in absent.items():
        _copy(resources.folder("templates") / service.template, place, _values(service, project))
    return list(absent)


def folders(folder: Path, project: Project) -> dict[Path, CustomService]:
    """Where the code of each custom service is, or will be."""
    return {folder / s.code: s for s in project.services.values() if isinstance(s, CustomService)}


def project(folder: Path, name: str) -> list[Path]:
    """The first files of a project; those that exist are left alone."""
    texts = {folder / relative: text.replace("{name}", name) for relative, text in _FIRST_FILES.items()}
    missing = {path: text for path, text in texts.items() if not path.exists()}
    for path, text in missing.items():
        envfiles.write(path, text)
    if folder / _PROD in missing and folder / "stack.py" in missing:
        envfiles.assign(folder / _PROD, _MAIL)
    return list(missing)


def stage(folder: Path, name: str, domain: str, email: str, host: str) -> list[Path]:
    """The files of an environment: its domain and address are set, whatever else is there is left alone.

    With an address to write to, certificates come by ACME, unless something says otherwise.

    Raises:
        DeclarationError: the name, the domain or the address is wrong; nothing is written.
    """
    own = cascade.canonical(folder, name)
    Environment.named(own, base=cascade.base(folder, own), domain=domain, admin_email=email)
    home = cascade.home(folder, own)
    wanted = {"BASE_DOMAIN": domain, **({"ADMIN_EMAIL": email} if email else {})}
    if email and _leaves_tls_open(folder, own):
        wanted["TLS"] = "acme"
    if own == "prod":
        wanted |= {"HASURA_GRAPHQL_ENABLE_CONSOLE": "false", "HASURA_GRAPHQL_DEV_MODE": "false"}
        wanted |= _required_there(folder)
    written = [home / ".env"]
    envfiles.assign(home / ".env", wanted)
    if host or not (home / "server.json").exists():
        envfiles.write(home / "server.json", server.text(host or server.TO_BE_NAMED))
        written.append(home / "server.json")
    return written


def _required_there(folder: Path) -> dict[str, str]:
    """What prod asks of a project of env files: monitoring, and a mail server that the user is left to name."""
    from nself_sdk.store import declaration  # noqa: PLC0415 - imports the whole catalog

    variables = cascade.variables(folder, "prod")
    if (folder / "stack.py").exists() or not declaration.declares(variables):
        return {}
    needed = {"MONITORING_ENABLED": "true", **({"MAILPIT_ENABLED": "false"} if "MAILPIT_ENABLED" in variables else {})}
    auth = variables.get("AUTH_ENABLED")
    has_mail = {"AUTH_SMTP_HOST", "SMTP_HOST"} & variables.keys() or (auth and auth.value.lower() in facts.OFF)
    return needed if has_mail else needed | _MAIL


def _leaves_tls_open(folder: Path, name: str) -> bool:
    """Whether neither a variable nor a file says where the environment's certificate comes from."""
    said = facts.stated(cascade.base(folder, name), cascade.variables(folder, name))
    return "tls" not in said and not (cascade.home(folder, name) / "tls" / "fullchain.pem").exists()


def environment(folder: Path, name: str, base: str, domain: str) -> list[Path]:
    """The files of an environment with a name of its own.

    Raises:
        DeclarationError: the name is taken or none, or the base or the domain is wrong; nothing is written.
    """
    facts = {"domain": domain} if domain else {}
    made = Environment.named(name, base=base, **facts)
    path = folder / ".environments" / made.name / ".env"
    if made.name in cascade.names(folder) and path.exists():
        raise DeclarationError(Problem(str(path), "is already there", "edit it, or choose another name"))
    own = {} if made.name == made.profile else {cascade.BASE: made.profile}
    envfiles.assign(path, {**own, "BASE_DOMAIN": domain or f"{made.name}.example.com"})
    return [path]


def _values(service: CustomService, project: Project) -> dict[str, object]:
    return {"name": service.name, "port": service.port, "project": project.name}


def _copy(source: Path, target: Path, values: dict[str, object]) -> None:
    """Copy a template beside its place and move it there, so that a half-made folder never counts as made."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.rmtree(partial, ignore_errors=True)
    environment = jinja2.Environment(  # noqa: S701 - source code, not HTML; the values are DNS labels and a port
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    for path in sorted(source.rglob("*")):
        if path.is_dir() or path.name == "template.toml" or "__pycache__" in path.parts:
            continue
        text, place = path.read_text(encoding="utf-8"), partial / path.relative_to(source)
        if path.suffix == ".j2":
            text, place = environment.from_string(text).render(values), place.with_suffix("")
        envfiles.write(place, text, mode=0o755 if path.stat().st_mode & 0o100 else 0o644)
    try:
        partial.rename(target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not target.is_dir():  # if it is one, another process was faster
            raise NselfError(f"{target} cannot be made: {error.strerror}", "free that path") from None


_PROD = ".environments/prod/.env"
# A mail server that the user is to name: prod is not deployed before.
_MAIL = {"AUTH_SMTP_HOST": "<host of your mail server>", "AUTH_SMTP_USER": "<user there>"}
_FIRST_FILES = {
    "stack.py": '''\
"""The stack of {name}. Try: nself-sdk up, nself-sdk build prod, nself-sdk staging init DOMAIN."""

from nself_sdk import Auth, CustomService, Environment, Hasura, Monitoring, Project, Redis, Smtp


def project(env: Environment) -> Project:
    stack = (
        Project("{name}")
        .add(Hasura())  # brings Postgres and Nginx with it
        .add(Redis())
        .add(CustomService("hello", "fastapi-py", 8001, needs=["postgres", "redis"]))
    )
    if env.profile == "prod":  # where monitoring and real e-mail are required
        says = env.variables  # those of the env files: name your mail server in .environments/prod/.env
        mail = Smtp(host=says["AUTH_SMTP_HOST"], user=says["AUTH_SMTP_USER"])
        return stack.add(Auth(smtp=mail)).add(Monitoring())
    return stack.add(Auth())
''',
    ".env": "# Variables for all environments. Secrets are made in .environments/<env>/.env.secrets.\n",
    ".environments/staging/.env": "BASE_DOMAIN=staging.example.com\n",
    _PROD: "BASE_DOMAIN=example.com\n",
    ".gitignore": """\
.environments/*/.env.secrets
.environments/*/tls/
.env.local
/docker-compose.yml
/rendered/
.current-env
""",
}
