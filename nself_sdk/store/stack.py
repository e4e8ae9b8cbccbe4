"""stack.py: the user's declaration, run as Python; what it raises comes back with its line."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from types import ModuleType

from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, NselfError, Problem
from nself_sdk.model import did_you_mean
from nself_sdk.project import Project


def project(path: Path, environment: Environment) -> Project:
    """The project that a ``stack.py`` declares, for that environment.

    What it prints goes to standard error: standard output is for the command's own answer.

    Raises:
        DeclarationError: it fails, or declares no project.
    """
    with _explained(path), _importing_from(path.parent), redirect_stdout(sys.stderr):
        declared = getattr(_module(path), "project", None)
        made = declared(environment) if callable(declared) else declared
    if isinstance(made, Project):
        return made.in_folder(path.parent)
    raise DeclarationError(Problem(str(path), "declares no project", _HOW))


_HOW = "write project = Project(...), or def project(env) that returns one"


def _module(path: Path) -> ModuleType:
    module = ModuleType("stack")
    module.__file__ = str(path)
    # Not by an import, which keeps bytecode: a change within the same second and of the same size would not count.
    exec(compile(path.read_bytes(), path, "exec"), module.__dict__)  # noqa: S102 - that is what a stack.py is for
    return module


@contextmanager
def _importing_from(folder: Path) -> Generator[None]:
    """What a ``stack.py`` imports from its own folder is found, also when ``project`` imports it."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _explained(path: Path) -> Generator[None]:
    """What a ``stack.py`` raises comes out as a problem with its line. One that exits has declared nothing either."""
    try:
        yield
    except DeclarationError as error:
        where = _place(path.name, path, error)
        raise DeclarationError([Problem(f"{where}: {p.where}", p.what, p.fix) for p in error.problems]) from error
    except NselfError:
        raise
    except SystemExit as error:
        what = f"exits (sys.exit({'' if error.code is None else repr(error.code)})) instead of declaring a project"
        raise DeclarationError(Problem(_place(str(path), path, error), what, _HOW)) from error
    except Exception as error:
        raise DeclarationError(_problem(path, error)) from error


def _problem(path: Path, error: Exception) -> Problem:
    if isinstance(error, SyntaxError):
        return Problem(f"{error.filename or path}:{error.lineno}", f"{type(error).__name__}: {error.msg}", _AGAIN)
    place = _place(str(path), path, error)
    if unknown := re.match(r"cannot import name '(\w+)' from 'nself_sdk'", str(error)):
        known: list[str] = import_module("nself_sdk").__all__  # by name: no room knows the package as a whole
        return Problem(place, f"nself_sdk has no {unknown[1]!r}", did_you_mean(unknown[1], known))
    return Problem(place, f"{type(error).__name__}: {error}", _AGAIN)


_AGAIN = "correct it and run the command again"


def _place(shown: str, path: Path, error: BaseException) -> str:
    """The file and, where the error came through it, the last line of it on the way."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{shown}:{frames[-1].lineno}" if frames else shown
