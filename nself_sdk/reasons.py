"""Why a service differs from the one that runs, in a person's words. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import cast

from nself_sdk.compose import ComposeFile, Service
from nself_sdk.passes import FINGERPRINT_LABEL


def reasons(
    name: str,
    wanted: ComposeFile,
    before: ComposeFile | None,
    labels: Mapping[str, str],
    fingerprints: Mapping[str, str],
) -> list[str]:
    """Every difference between what is wanted of a service and what runs.

    Args:
        name: the service.
        wanted: the file that is wanted.
        before: the file of the release that runs; None where it is not known.
        labels: those of the container that runs; they hold the fingerprints of the secrets it was given.
        fingerprints: those of the secrets now, by name.
    """
    found = [*rotated(labels, fingerprints)]
    if before is not None and name in before.services:
        found += differences(name, wanted, before)
    return found or ["its definition changed"]


def differences(name: str, new: ComposeFile, old: ComposeFile) -> list[str]:
    """What differs in the definitions of a service that both files have, without its secrets and labels."""
    after, before = new.services[name], old.services[name]
    fields = (_field(key, after.written.get(key), before.written.get(key)) for key in _keys(after, before))
    return [*_texts(after, before, new, old), *(text for field in fields for text in field)]


def rotated(labels: Mapping[str, str], fingerprints: Mapping[str, str]) -> Iterator[str]:
    """The secrets whose fingerprints are not those that a container's labels tell."""
    for name, mark in sorted(fingerprints.items()):
        old = labels.get(FINGERPRINT_LABEL + name.lower())
        if old is not None and old != mark:
            yield f"secret {name}: fingerprint {old[:4] or 'none'} -> {mark[:4]}"


def _texts(new: Service, old: Service, wanted: ComposeFile, before: ComposeFile) -> Iterator[str]:
    """Configs whose content changed, matched by the path at which the container finds them."""
    earlier = {r.target: before.configs.get(r.source or "") for r in old.config_references}
    for reference in new.config_references:
        now, then = wanted.configs.get(reference.source or ""), earlier.get(reference.target)
        if now is None or then is None or now.content == then.content:
            continue
        lines = difflib.ndiff((then.content or "").splitlines(), (now.content or "").splitlines())
        count = sum(line.startswith(("+ ", "- ")) for line in lines)
        yield f"config {_plain(reference.source or '')}: {count} lines differ"


def _keys(new: Service, old: Service) -> list[str]:
    """The attributes that differ, without those that are told in their own words."""
    keys = sorted({*new.written, *old.written} - {"configs", "secrets", "labels"})
    return [key for key in keys if new.written.get(key) != old.written.get(key)]


def _field(key: str, new: object, old: object) -> Iterator[str]:
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        after, before = cast("Mapping[str, object]", new), cast("Mapping[str, object]", old)
        for inner in sorted({*after, *before}):
            if after.get(inner) != before.get(inner):
                yield f"{key}.{inner} {_verb(inner in after, inner in before)}"
    elif key == "image":
        yield f"image {old} -> {new}"
    else:
        yield f"{key} {_verb(new is not None, old is not None)}"


def _verb(is_there: bool, was_there: bool) -> str:
    return "changed" if is_there and was_there else "added" if is_there else "removed"


def _plain(config: str) -> str:
    """The config's name without the hash of its content."""
    return re.sub(r"-[0-9a-f]{10}$", "", config)
