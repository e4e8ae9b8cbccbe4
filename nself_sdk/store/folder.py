"""ProjectFolder: one project's folder on disk. It loads, writes and scaffolds; it decides nothing about services."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from nself_sdk.compose import ComposeFile
from nself_sdk.environment import ALIASES, Environment
from nself_sdk.errors import DeclarationError, NselfError, Problem, SecretError
from nself_sdk.model import did_you_mean
from nself_sdk.project import Context, Project
from nself_sdk.store import envfiles, scaffold, secrets, server
from nself_sdk.store.server import Server

#: The variables of the env files that set facts of the environment.
_FACTS = {
    "BASE_DOMAIN": "domain",
    "TLS": "tls",
    "LOG_LEVEL": "log_level",
    "NGINX_BIND_IP": "bind",
    "NGINX_PORT": "http_port",
    "NGINX_SSL_PORT": "https_port",
}


class ProjectFolder:
    """The folder of one project.

    Args:
        path: the folder; it must exist.
    """

    def __init__(self, path: Path | str = ".") -> None:
        self.path = Path(path).resolve()
        if not self.path.is_dir():
            raise DeclarationError(Problem(str(path), "is not a folder", "name the project's folder with -C"))

    def environment(self, name: str, **facts: object) -> Environment:
        """The environment of that name, with the facts that its env files and ``server.json`` state.

        Raises:
            DeclarationError: the name is unknown, or a file is wrong.
        """
        profile = ALIASES.get(name.lower())
        if profile is None:
            fix = did_you_mean(name, ["dev", "staging", "prod"])
            raise DeclarationError(Problem("environment", f"unknown environment {name!r}", fix))
        variables: dict[str, str] = {}
        for path in envfiles.cascade(self.path, profile, profile):
            variables |= envfiles.read(path)
        stated = {fact: variables[variable] for variable, fact in _FACTS.items() if variables.get(variable)}
        remote = self.server(profile) is not None
        return Environment.named(profile, **{"variables": variables, "remote": remote, **stated, **facts})

    def server(self, environment: str) -> Server | None:
        """The remote host of an environment; None where it runs on this machine."""
        path = self._of(environment) / "server.json"
        return server.read(path, self.path) if path.exists() else None

    def project(self, environment: Environment) -> Project:
        """The project that ``stack.py`` declares, for that environment.

        Raises:
            DeclarationError: there is no ``stack.py``, it fails, or it declares no project.
        """
        path = self.path / "stack.py"
        if not path.is_file():
            fix = "make one with: nself-sdk init, or name the project's folder with -C"
            raise DeclarationError(Problem(str(self.path), "has no stack.py", fix))
        declared = getattr(_module(path), "project", None)
        project = _called(path, declared, environment) if callable(declared) else declared
        if isinstance(project, Project):
            return project.in_folder(self.path)
        fix = "write project = Project(...), or def project(env) that returns one"
        raise DeclarationError(Problem(str(path), "declares no project", fix))

    def secrets(self, context: Context) -> dict[str, str]:
        """The value of every secret of the project in that environment; missing ones are generated.

        Raises:
            SecretError: one must be given and is not, or is weak or unreadable.
        """
        environment = context.environment
        by_source = {source: [s for s in context.secrets if s.source == source] for source in _TLS}
        plain = [secret for secret in context.secrets if secret.source not in _TLS]
        path = self._of(environment.name) / ".env.secrets"
        values = secrets.ensure(path, plain, weak_allowed=environment.profile == "dev")
        if any(by_source.values()):
            chain, key = self._certificate(context)
            values |= {secret.name: chain for secret in by_source["certificate"]}
            values |= {secret.name: key for secret in by_source["private-key"]}
        return values

    def write(self, file: ComposeFile, out: Path | None = None) -> list[Path]:
        """Write the rendered file, and its inline texts as files beside it for reading and linting.

        Returns:
            The paths written, the Compose file first.
        """
        target = out or self.path
        written = {target / "docker-compose.yml": _BANNER + file.to_yaml()}
        for name, config in file.configs.items():
            if config.content:
                written[target / "rendered" / name.rpartition("-")[0]] = config.content.replace("$$", "$")
        for path, text in written.items():
            envfiles.write(path, text)
        return list(written)

    def scaffold(self, project: Project) -> list[Path]:
        """Copy the templates of new custom services; a folder that exists is the user's and left alone."""
        return scaffold.services(self.path, project)

    def init(self, name: str) -> list[Path]:
        """Start a project here; a file that exists is left alone."""
        return scaffold.project(self.path, name)

    def _certificate(self, context: Context) -> tuple[str, str]:
        from nself_sdk.store import certificates  # noqa: PLC0415 - costs as much as a whole command

        folder = self._of(context.environment.name) / "tls"
        if context.environment.tls == "local-ca":
            certificates.ensure_local(folder, context.hosts)
        return certificates.read(folder)

    def _of(self, environment: str) -> Path:
        return self.path / ".environments" / environment


_TLS = ("certificate", "private-key")
_BANNER = """\
# Rendered by nself-sdk: change stack.py, not this file. It needs nothing but Docker Compose to run;
# the secrets that it names must be in the environment.
"""


def fingerprints(values: Mapping[str, str]) -> dict[str, str]:
    """A keyed fingerprint of each secret, by name: safe to show, to store and to compare."""
    return secrets.fingerprints(values)


def _module(path: Path) -> ModuleType:
    """Run a ``stack.py``; what it imports from its own folder is found."""
    spec = importlib.util.spec_from_file_location("stack", path)
    if spec is None or spec.loader is None:
        raise DeclarationError(Problem(str(path), "cannot be loaded as Python", "check the file"))
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except NselfError as error:
        raise _located(path, error) from error
    except Exception as error:
        raise DeclarationError(_problem(path, error)) from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _called(path: Path, declared: object, environment: Environment) -> object:
    try:
        return declared(environment) if callable(declared) else declared
    except NselfError as error:
        raise _located(path, error) from error
    except Exception as error:
        raise DeclarationError(_problem(path, error)) from error


def _located(path: Path, error: NselfError) -> NselfError:
    """The SDK's own error, with the line of ``stack.py`` that caused it."""
    if not isinstance(error, DeclarationError):
        return error
    where = f"{path.name}:{_line(path, error)}"
    return DeclarationError([Problem(f"{where}: {p.where}", p.what, p.fix) for p in error.problems])


def _problem(path: Path, error: Exception) -> Problem:
    line = error.lineno if isinstance(error, SyntaxError) else _line(path, error)
    return Problem(f"{path}:{line}", f"{type(error).__name__}: {error}", "correct it and run the command again")


def _line(path: Path, error: Exception) -> int:
    """The last line of that file on the way to the error."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return frames[-1].lineno or 0 if frames else 0


__all__ = ["ProjectFolder", "SecretError", "fingerprints"]
