"""The recipe of the full stack in staging on the real engine, once for every test here; impatient where it can be."""

from __future__ import annotations

import re
import runpy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rig.images import describe
from rig.needed import needed

from full_stack.answering import host_server
from nself_sdk import ComposeFile, Environment, FrontendApp, Project, render, resources
from nself_sdk.store import ProjectFolder
from nself_sdk.testing import NselfStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rig.images import Image

PAGES = {
    "functions/hello.js": "export default (req, res) => res.json({ hello: req.query.name });\n",
    "frontend/web/dist/index.html": "<title>web</title>",
    "frontend/web/dist/assets/index-DiwrgT4a.js": "start()",
    "frontend/web/dist/assets/my-component.js": "component()",
    "frontend/web/dist/robots.txt": "User-agent: *",
}
#: How each template is given a route that takes its time: the file, the text before which it goes, the route.
SLOW = {
    "express-js": (
        "src/api.js",
        "  return router;",
        """
  router.get("/slow", (_, response) => {
    setTimeout(() => response.json("done"), 3000);
  });
""",
    ),
    "nestjs": (
        "src/hello.controller.ts",
        '  @Get("/")',
        """
  @Get("/slow")
  async slow(): Promise<string> {
    await new Promise((done) => setTimeout(done, 3000));
    return JSON.stringify("done");
  }
""",
    ),
    "fastapi-py": (
        "app/api.py",
        '@router.get("/")',
        """
@router.get("/slow")
async def slow() -> str:
    import asyncio
    await asyncio.sleep(3)
    return "done"
""",
    ),
}
#: What Prometheus and Alertmanager wait for, and what they wait for here; nothing else of their texts changes.
IMPATIENT = {
    r"(?m)^(\s+(?:scrape|evaluation)_interval:) 15s$": r"\1 2s",
    r"(?m)^(\s+for:) \w+$": r"\1 4s",
    r"(?m)^(\s+group_wait:) 30s$": r"\1 1s",
}


def recipe(environment: Environment, port: int) -> Project:
    """The project of recipes/full_stack.py, its frontend outside Docker at a port that is free here."""
    made: Project = runpy.run_path(str(resources.folder("recipes") / "full_stack.py"))["project"](environment)
    made.services["admin"] = FrontendApp("admin", port=port, route="dashboard")
    return made


def impatient(file: ComposeFile, _: Environment) -> ComposeFile:
    """Intervals of seconds: a test waits for what it is about, not for time to pass."""

    def shortened(text: str) -> str:
        for pattern, short in IMPATIENT.items():
            text = re.sub(pattern, short, text)
        return text

    texts = {name: c.replace(content=shortened(c.content)) for name, c in file.configs.items() if c.content}
    return file.replace(configs={**file.configs, **texts})


@pytest.fixture(scope="package")
def images(rig_images: Callable[..., tuple[Image, ...]]) -> str:
    """Which image is real and which a stand-in; all of them usable."""
    return describe(rig_images(*needed(render(partial(recipe, port=3001), "staging"))))


@pytest.fixture(scope="package")
def stack(images: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NselfStack]:
    folder = tmp_path_factory.mktemp("full")
    with host_server() as port:
        declared = partial(recipe, port=port)
        _write(folder, declared(Environment.named("staging")))
        with NselfStack(declared, "staging", folder=folder, passes=[impatient], timeout=600) as running:
            yield running


def _write(folder: Path, project: Project) -> None:
    for name, text in PAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "frontend/web/dist/robots.txt").chmod(0o600)
    ProjectFolder(folder).scaffold(project)
    for service in project.services.values():
        if template := getattr(service, "template", ""):
            _slow(folder / "services" / service.name, template)


def _slow(folder: Path, template: str) -> None:
    place, before, route = SLOW[template]
    text = (folder / place).read_text(encoding="utf-8")
    assert text.count(before) == 1
    (folder / place).write_text(text.replace(before, route + before), encoding="utf-8")
