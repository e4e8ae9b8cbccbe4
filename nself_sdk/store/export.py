"""export: a project written as the other of its two forms, a ``stack.py`` or env files. Both render the same."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any, Literal

from nself_sdk.compose import ComposeFile, interpolate, names_in, to_python
from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.model import Model
from nself_sdk.project import Project, name_of
from nself_sdk.store import declaration, declaring, envfiles, kinds, secrets
from nself_sdk.store.folder import ProjectFolder

Form = Literal["env", "python"]
_LINE = 90


def write(folder: ProjectFolder, target: Path, form: Form | None = None) -> list[Path]:
    """Write the project into another folder; as the form that it has not, unless one is named.

    Env files and ``server.json`` go with it. Secrets and the code of custom services do not: they stay where they are.

    Raises:
        DeclarationError: something of it cannot be said in that form, or a file is there already; nothing is written.
    """
    form = form or ("env" if (folder.path / "stack.py").exists() else "python")
    places = {name: folder.environment(name) for name in folder.environments}
    projects = {name: folder.project(place) for name, place in places.items()}
    variables = {name: _about_the_place(place.variables) for name, place in places.items()}
    texts: dict[Path, str] = {}
    if form == "python":
        texts[target / "stack.py"] = python(projects)
    else:
        for name, place in places.items():
            variables[name] |= declaring.variables(projects[name], place)
    taken = [path for path in (*texts, target / ".env") if path.exists()]
    if taken or target.resolve() == folder.path:
        fix = "export into a folder of its own"
        raise DeclarationError([Problem(str(path), "is already there", fix) for path in taken or [target]])
    for path, text in texts.items():
        envfiles.write(path, text)
    return [*texts, *_write_variables(target, variables), *_copy_servers(folder, target)]


def from_compose(source: Path, target: Path) -> list[str]:
    """Write a ``stack.py`` that declares what a Compose file declares, as typed Python.

    It is evaluated before it is written: it declares the same project, or nothing is written. Comes back with what is
    different all the same.

    Raises:
        DeclarationError: the file is wrong, or ``target`` is already there.
    """
    if target.exists():
        raise DeclarationError(Problem(str(target), "is already there", "move it away, or name another folder with -C"))
    file = ComposeFile.load(source)
    place = source.resolve().parent
    called = _called(file, place)
    name = name_of(PurePath(called))
    names = _listed({"ComposeFile", *names_in(file)})
    head = f'"""The stack, imported from {source.name} by nself-sdk."""\n\nfrom nself_sdk import Project\n'
    body = f'project = Project("{name}").add(\n    {to_python(file, indent=1)}\n)\n'
    text = f"{head}from nself_sdk.compose import {names}\n\n{body}"
    declared: dict[str, Any] = {}
    exec(text, declared)  # noqa: S102 - our own text: calls of the models, with literals
    if [each.to_yaml() for each in declared["project"].files] != [file.to_yaml()]:
        raise DeclarationError(Problem(str(source), "its Python declares something else", "please report this file"))
    envfiles.write(target, text)
    changes = {
        f"the project is called {name!r}, no longer {called!r}: its volumes and networks are others": name != called,
        f"relative paths start at {target.resolve().parent}, no longer at {place}": place != target.resolve().parent,
    }
    return [change for change, is_so in changes.items() if is_so]


def _called(file: ComposeFile, place: Path) -> str:
    """What Compose calls the project, as far as that can be known here."""
    try:
        named = interpolate(file.name or "", {}, blank=True)
    except ValueError as error:
        raise DeclarationError(Problem("name", str(error))) from None
    return (named or place.name).lower()


def _about_the_place(variables: Mapping[str, str]) -> dict[str, str]:
    """What says nothing about services, and is no secret."""
    return {
        name: value
        for name, value in variables.items()
        if not declaration.is_about_services(name) and secrets.masked(name, value) == value
    }


def python(projects: Mapping[str, Project]) -> str:
    """The text of a ``stack.py`` that declares these projects, by the name of their environment.

    Raises:
        DeclarationError: one holds something that is no value of the catalog.
    """
    imports: dict[str, set[str]] = {"nself_sdk": {"Project"}}
    bodies = {name: _project(project, imports) for name, project in projects.items()}
    usual = bodies.get("dev", next(iter(bodies.values())))
    others = {name: body for name, body in bodies.items() if body != usual}
    if others:
        imports["nself_sdk"].add("Environment")
    lines = [f"from {module} import {_listed(names)}" for module, names in sorted(imports.items())]
    head = '"""The stack, exported by nself-sdk."""\n\n' + "\n".join(lines) + "\n\n"
    if not others:
        return f"{head}project = {usual}\n"
    cases = "".join(
        f'    if env.name == "{name}":\n        return {_indented(body, 2)}\n' for name, body in others.items()
    )
    return f"{head}\ndef project(env: Environment) -> Project:\n{cases}    return {_indented(usual, 1)}\n"


def _listed(names: set[str]) -> str:
    line = ", ".join(sorted(names))
    return line if len(line) < _LINE else "(\n" + "".join(f"    {name},\n" for name in sorted(names)) + ")"


def _project(project: Project, imports: dict[str, set[str]]) -> str:
    if project.files:
        what = "holds a Compose file, which has no place in the exported text"
        raise DeclarationError(
            Problem(project.name, what, "add it to the new stack.py yourself: ComposeFile.load(...)")
        )
    if project.hooks:
        fix = "leave it out and add it to the new stack.py, or make it an executable in hooks/"
        raise DeclarationError([Problem(f"hooks.{moment}", "is a function", fix) for moment in project.hooks])
    parts = [_literal(part, imports) for part in (*project.services.values(), *project.routes)]
    added = "".join(f"    .add({part})\n" for part in parts)
    return f'(\n    Project("{project.name}")\n{added})'


def _literal(value: Any, imports: dict[str, set[str]]) -> str:
    """Python for a value of the catalog, with what it needs imported."""
    if isinstance(value, type):
        return _imported(value, imports)
    if isinstance(value, Model):
        given = ", ".join(f"{name}={_literal(v, imports)}" for name, v in kinds.changed(value))
        return f"{_imported(type(value), imports)}({given})"
    if isinstance(value, tuple | list):
        items: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType] - any sequence of literals
        return f"[{', '.join(_literal(item, imports) for item in items)}]"
    return repr(value)


def _imported(kind: type[Any], imports: dict[str, set[str]]) -> str:
    if not kind.__module__.startswith("nself_sdk."):
        what = "is a class of your own, which the exported text would not find"
        raise DeclarationError(Problem(kind.__name__, what, "export without it, and add it afterwards"))
    # By name: the public names are above this room.
    public = kind.__name__ in import_module("nself_sdk").__all__
    imports.setdefault("nself_sdk" if public else kind.__module__, set()).add(kind.__name__)
    return kind.__name__


def _indented(text: str, levels: int) -> str:
    return text.replace("\n", "\n" + "    " * levels)


def _write_variables(target: Path, variables: Mapping[str, Mapping[str, str]]) -> list[Path]:
    """Env files: what all environments share in ``.env``, the rest in the files of each."""
    first = next(iter(variables.values()))
    shared = {name: value for name, value in first.items() if all(v.get(name) == value for v in variables.values())}
    files = {target / ".env": shared}
    for environment, own in variables.items():
        rest = {name: value for name, value in own.items() if name not in shared}
        if rest:
            files[target / ".environments" / environment / ".env"] = rest
    for path, values in files.items():
        envfiles.assign(path, values)
    return list(files)


def _copy_servers(folder: ProjectFolder, target: Path) -> list[Path]:
    copied: list[Path] = []
    for name in folder.environments:
        source = folder.home(name) / "server.json"
        if source.exists():
            copied.append(target / ".environments" / name / "server.json")
            envfiles.write(copied[-1], envfiles.read_text(source))
    return copied
