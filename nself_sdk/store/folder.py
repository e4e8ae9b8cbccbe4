"""ProjectFolder: one project's folder on disk. It loads, writes and scaffolds; it decides nothing about services."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from nself_sdk.compose import ComposeFile
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, Problem, SecretError
from nself_sdk.project import Context, Project, Secret
from nself_sdk.store import cascade, contents, envfiles, facts, scaffold, secrets, server, stack
from nself_sdk.store.envfiles import Variable
from nself_sdk.store.relocation import relocated
from nself_sdk.store.server import Server

_CURRENT = ".current-env"


class NotHonouredWarning(UserWarning):
    """Variables of env files that the SDK does nothing with."""


class ProjectFolder:
    """The folder of one project.

    Args:
        path: the folder; it must exist.
    """

    def __init__(self, path: Path | str = ".") -> None:
        self.path = Path(path).resolve()
        if not self.path.is_dir():
            raise DeclarationError(Problem(str(path), "is not a folder", "name the project's folder with -C"))

    @property
    def environments(self) -> list[str]:
        """The names of all environments: dev, staging, prod, and the user's own."""
        return cascade.names(self.path)

    @property
    def current(self) -> str:
        """The environment that commands mean when none is named: dev, until `switch` says another."""
        path = self.path / _CURRENT
        name = envfiles.read_text(path).strip() if path.exists() else "dev"
        return cascade.canonical(self.path, name)

    def switch(self, name: str) -> str:
        """Make that environment the current one. Nothing else is changed."""
        own = cascade.canonical(self.path, name)
        envfiles.write(self.path / _CURRENT, own + "\n")
        return own

    def variables(self, name: str) -> dict[str, Variable]:
        """Every variable of an environment, resolved, with the file and line that decided it.

        Raises:
            DeclarationError: the name is unknown, or a file is wrong.
        """
        return cascade.variables(self.path, cascade.canonical(self.path, name))

    def environment(self, name: str, **more: object) -> Environment:
        """The environment of that name, with the facts that its env files and ``server.json`` state.

        Raises:
            DeclarationError: the name is unknown, or a file is wrong.
        """
        own = cascade.canonical(self.path, name)
        base, variables = cascade.base(self.path, own), self.variables(own)
        more = {"remote": self.server(own) is not None, **more}
        try:
            return facts.environment(own, base, variables, **more)
        except DeclarationError as error:
            usual = Environment.named(own, base=base)
            raise DeclarationError([*error.problems, *self._wrong_besides(usual, variables)]) from None

    def _wrong_besides(self, usual: Environment, variables: Mapping[str, Variable]) -> Iterator[Problem]:
        """What is wrong with a project of env files, where the environment is wrong already: all is told at once."""
        from nself_sdk.store import declaration  # noqa: PLC0415 - imports the whole catalog

        if not (self.path / "stack.py").is_file() and declaration.declares(variables):
            try:
                declaration.read(variables, usual)
            except DeclarationError as error:
                yield from error.problems

    def server(self, environment: str) -> Server | None:
        """The remote host of an environment; None where it runs on this machine."""
        path = self.home(environment) / "server.json"
        found = server.read(path, self.path) if path.exists() else None
        return found if found and found.is_remote else None

    def project(self, environment: Environment) -> Project:
        """The project that ``stack.py`` declares for that environment or, where there is none, the env files.

        Raises:
            DeclarationError: nothing declares a project, or what does is wrong.
        """
        path = self.path / "stack.py"
        if path.is_file():
            return stack.project(path, environment)
        return self.declared_by_variables(environment)

    def declared_by_variables(self, named: Environment | str) -> Project:
        """The project that the env files declare, whether or not there is a ``stack.py``.

        Warns once, with `NotHonouredWarning`, of every variable that says nothing to the SDK.

        Raises:
            DeclarationError: they declare no project, or a variable is wrong; all problems at once.
        """
        from nself_sdk.store import declaration  # noqa: PLC0415 - imports the whole catalog

        environment = self.environment(named) if isinstance(named, str) else named
        variables = self.variables(environment.name)
        if not declaration.declares(variables):
            fix = "make one with: nself-sdk init, or name the project's folder with -C"
            raise DeclarationError(Problem(str(self.path), "has no stack.py", fix))
        reading = declaration.read(variables, environment)
        if left := (*reading.not_honoured, *self._unused_secrets(reading.project.context(environment))):
            warnings.warn(self._not_honoured(left), NotHonouredWarning, stacklevel=2)
        return reading.project.in_folder(self.path)

    def _unused_secrets(self, context: Context) -> Iterator[Variable]:
        """What the environment's file of secrets holds under names that nothing here has."""
        from nself_sdk.store import kinds  # noqa: PLC0415 - imports the whole catalog

        path = self.home(context.environment.name) / ".env.secrets"
        with suppress(SecretError):  # it is told of where the secrets are used
            known = kinds.secret_names() | {secret.name for secret in context.secrets}
            yield from (v for name, v in sorted(secrets.located(path).items()) if name not in known)

    def home(self, environment: str) -> Path:
        """The folder of an environment's files."""
        return cascade.home(self.path, environment)

    def secrets(self, context: Context) -> dict[str, str]:
        """The value of every secret of the project in that environment; missing ones are generated.

        Raises:
            SecretError: one must be given and is not, or is weak or unreadable; with everything that is wrong.
            DeclarationError: a variable of the env files may not stand in prod.
        """
        if found := list(facts.problems(context.environment.profile, self.variables(context.environment.name))):
            raise DeclarationError(found)
        path, others = self._secret_files(context.environment)
        weak_allowed = context.environment.profile == "dev"
        values = secrets.ensure(path, _plain(context), weak_allowed=weak_allowed, others=others)
        return values | self._tls(context)

    def generate_secrets(self, context: Context) -> list[str]:
        """Generate the secrets that are missing and need not be given; the names of those made."""
        return secrets.generate(self._secret_files(context.environment)[0], _plain(context))

    def to_be_made(self, context: Context) -> list[str]:
        """The secrets, and the certificate, that are not there yet and that whoever needs them first will make."""
        environment = context.environment
        names = [s.name for s in secrets.missing(self._secret_files(environment)[0], _plain(context))]
        certified = (self.home(environment.name) / "tls" / "fullchain.pem").exists() or environment.tls != "local-ca"
        return names + [s.name for s in context.secrets if s.source in _TLS and not certified]

    def problems(self, context: Context) -> Iterator[Problem]:
        """What is wrong with an environment's variables, before anything is generated."""
        if context.environment.name in self.environments:
            yield from self.file_problems(context.environment)

    def file_problems(self, environment: Environment) -> Iterator[Problem]:
        """What is wrong with what an environment's files say."""
        yield from facts.problems(environment.profile, self.variables(environment.name))
        yield from self.server_problems(environment)

    def server_problems(self, environment: Environment) -> Iterator[Problem]:
        """Whether the host of an environment is still to be named."""
        named = self.server(environment.name)
        if named and facts.is_placeholder(named.host):
            fix = 'write "ssh://user@host", or "local" for this machine'
            yield Problem(f"{self.home(environment.name) / 'server.json'}: host", "is still to be named", fix)

    def code_problems(self, project: Project, file: ComposeFile) -> Iterator[Problem]:
        """What images are to be built from and is not there; the code of a new custom service will be."""
        yield from contents.missing(file, self.path, coming=scaffold.folders(self.path, project))

    def secret_problems(self, context: Context) -> Iterator[Problem]:
        """What is wrong with an environment's secrets and certificate; generates nothing."""
        environment = context.environment
        path, others = self._secret_files(environment)
        try:
            yield from secrets.problems(path, _plain(context), weak_allowed=environment.profile == "dev", others=others)
            if environment.tls == "own" and any(secret.source in _TLS for secret in context.secrets):
                self._certificate(context)
        except SecretError as error:
            yield Problem("", error.message, error.hint)

    def _secret_files(self, environment: Environment) -> tuple[Path, dict[str, Path]]:
        """The environment's file of secrets and, for prod, those whose values it may not share."""
        rivals = [name for name in self.environments if environment.profile == "prod" and name != environment.name]
        others = {name: self.home(name) / ".env.secrets" for name in rivals}
        return self.home(environment.name) / ".env.secrets", others

    def write(self, file: ComposeFile, out: Path | None = None) -> list[Path]:
        """Write the rendered file, and its inline texts as files beside it for reading and linting.

        Returns:
            The paths written, the Compose file first.

        Raises:
            DeclarationError: a Compose file of the user's own is in the way.
        """
        target = out or self.path
        present = target / "docker-compose.yml"
        if present.is_file() and not envfiles.read_text(present).startswith(_BANNER.partition(":")[0]):
            fix = "move it away, or write elsewhere with --out"
            raise DeclarationError(Problem(str(present), "was not rendered by nself-sdk", fix))
        text = relocated(file, self.path, target).to_yaml()
        written = {target / "docker-compose.yml": _BANNER + text}
        for name, config in file.configs.items():
            if config.content:
                written[target / "rendered" / _HASH.sub("", Path(name).name)] = config.content.replace("$$", "$")
        for path, text in written.items():
            envfiles.write(path, text, lasting=False)
        return list(written)

    def scaffold(self, project: Project) -> list[Path]:
        """Copy the templates of new custom services; a folder that exists is the user's and left alone."""
        return scaffold.services(self.path, project)

    def init(self, name: str) -> list[Path]:
        """Start a project here; a file that exists is left alone."""
        return scaffold.project(self.path, name)

    def _tls(self, context: Context) -> dict[str, str]:
        """The certificate's secrets. By ACME none are needed, but a release of before may be returned to."""
        by_source = {source: [s.name for s in context.secrets if s.source == source] for source in _TLS}
        by_acme = context.environment.tls == "acme"
        if not any(by_source.values()) or (by_acme and not (self.home(context.environment.name) / "tls").is_dir()):
            return {}
        try:
            chain, key = self._certificate(context)
        except SecretError:
            if by_acme:
                return {}
            raise
        return dict.fromkeys(by_source["certificate"], chain) | dict.fromkeys(by_source["private-key"], key)

    def _certificate(self, context: Context) -> tuple[str, str]:
        from nself_sdk.store import certificates  # noqa: PLC0415 - costs as much as a whole command

        folder = self.home(context.environment.name) / "tls"
        if context.environment.tls == "local-ca":
            certificates.ensure_local(folder, context.hosts)
        return certificates.read(folder, context.hosts)

    def _not_honoured(self, variables: tuple[Variable, ...]) -> str:
        named = ", ".join(f"{v.name} ({_shown(v.file, self.path)}:{v.line})" for v in variables)
        secret = any(envfiles.is_secret(v.name) and v.file.name != ".env.secrets" for v in variables)
        where = "; secrets belong into .environments/<env>/.env.secrets" if secret else ""
        return f"not honoured, of the env files: {named}{where}"


def _plain(context: Context) -> list[Secret]:
    return [secret for secret in context.secrets if secret.source not in _TLS]


def _shown(path: Path, folder: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path


_TLS = ("certificate", "private-key")
# What `nself_sdk.passes.content_names` puts behind a config's name.
_HASH = re.compile(r"-[0-9a-f]{10}$")
_BANNER = """\
# Rendered by nself-sdk: change stack.py, not this file. It needs nothing but Docker Compose to run;
# the secrets that it names must be in the environment.
"""


def fingerprints(values: Mapping[str, str]) -> dict[str, str]:
    """A keyed fingerprint of each secret, by name: safe to show, to store and to compare."""
    return secrets.fingerprints(values)


__all__ = ["ProjectFolder", "fingerprints"]
