"""What owns data is not replaced by accident: an upgrade of the SDK that would do so says it in the changelog.

Compose replaces a container whose definition changed, and a service that owns a volume goes stop-first: a new way of
writing the same thing here would be a gap of the database there. `data_services.json` holds the definitions' digests
as the last release rendered them; it is renewed when a release is made::

    NSELF_RENEW_GOLDEN=1 python -m pytest tests/golden && git diff tests/golden
"""

from __future__ import annotations

import hashlib
import json
import os
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

from nself_sdk import ComposeFile, Project, Service, catalog, render

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
RELEASED = HERE / "data_services.json"
CHANGELOG = HERE.parents[1] / "CHANGELOG.md"


def owners() -> list[type[Service]]:
    """The services of the catalog that can be made without anything said."""
    for found in pkgutil.walk_packages(catalog.__path__, "nself_sdk.catalog."):
        import_module(found.name)
    kinds, waiting = list[type[Service]](), [Service]
    while waiting:
        some = [kind for kind in waiting.pop().__subclasses__() if kind.__module__.startswith(catalog.__name__)]
        waiting += some
        kinds += [kind for kind in some if not any(field.is_required() for field in kind.model_fields.values())]
    return kinds


def digests() -> dict[str, str]:
    """Of each service that owns a volume in prod: its definition, alone in a project with what it brings."""
    found: dict[str, str] = {}
    for kind in owners():
        file = render(Project("shop").add(kind()), "prod")
        name = kind.model_fields["name"].default
        if isinstance(name, str) and name in file.services and owns_data(file, name):
            written = json.dumps(file.services[name].written, sort_keys=True, default=str)
            found[name] = hashlib.sha256(written.encode()).hexdigest()[:16]
    return dict(sorted(found.items()))


def owns_data(file: ComposeFile, name: str) -> bool:
    return any(mount.type == "volume" and mount.source for mount in file.services[name].volume_mounts)


def told() -> set[str]:
    """The services that the changelog's next release says it replaces."""
    [coming] = re.findall(r"## Unreleased\n(.*?)(?=\n## |\Z)", CHANGELOG.read_text(encoding="utf-8"), re.DOTALL)
    lines = re.findall(r"^- Replaced at the next deploy: (.*)\.$", coming, re.MULTILINE)
    return {name for line in lines for name in re.findall(r"`([\w-]+)`", line)}


def test_a_data_owning_service_is_replaced_by_an_upgrade_only_if_the_changelog_says_so() -> None:
    now = digests()
    assert "postgres" in now
    if os.environ.get("NSELF_RENEW_GOLDEN"):
        RELEASED.write_text(json.dumps(now, indent=2) + "\n", encoding="utf-8")
    released = json.loads(RELEASED.read_text(encoding="utf-8"))
    changed = {name for name, digest in released.items() if now.get(name) != digest}
    how = "render it as before, or write under Unreleased: - Replaced at the next deploy: `postgres` (why)."
    assert changed == told(), how
