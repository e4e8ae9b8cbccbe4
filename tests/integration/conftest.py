"""What the integration tests share: the quickstart recipe, and the images that a file names."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING

import pytest
from rig.needed import needed

from nself_sdk import ComposeFile, resources

if TYPE_CHECKING:
    from collections.abc import Callable

    from nself_sdk.project import Declaration


@pytest.fixture(scope="session")
def quickstart() -> Declaration:
    """The project of recipes/quickstart.py."""
    return runpy.run_path(str(resources.folder("recipes") / "quickstart.py"))["project"]


@pytest.fixture(scope="session")
def images_of(rig_images: Callable[..., object]) -> Callable[[ComposeFile], None]:
    """Make the images that a file names usable on this engine."""

    def ensure(file: ComposeFile) -> None:
        rig_images(*needed(file))

    return ensure
