"""stack.py: the user's declaration, run as Python; what it raises comes back with its line."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import ModuleType

from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, NselfError, Problem
from nself_sdk.project import Project


def project(path: Path, environment: Environment) -> Project:
    """The project that a ``stack.py`` declares, for that environment.

    Raises:
        DeclarationError: it fails, or declares no project.
    """
    declared = getattr(_module(path), "project", None)
    made = _called(path, declared, environment) if callable(declared) else declared
    if isinstance(made, Project):
        return made.in_folder(path.parent)
    fix = "write project = Project(...), or def project(env) that returns one"
    raise DeclarationError(Problem(str(path), "declares no project", fix))


def _module(path: Path) -> ModuleType:
    """Run a ``stack.py``; what it imports from its own folder is found."""
    module = ModuleType("stack")
    module.__file__ = str(path)
    sys.path.insert(0, str(path.parent))
    try:
        # Not by an import, which keeps bytecode: a change within the same second and of the same size would not count.
        exec(compile(path.read_bytes(), path, "exec"), module.__dict__)  # noqa: S102 - that is what a stack.py is for
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
