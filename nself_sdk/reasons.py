"""Why a service differs from the one that runs, in a person's words. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import cast

from nself_sdk.compose import ComposeFile, Element, Service
from nself_sdk.passes import FINGERPRINT_LABEL

_OWN_WORDS = frozenset({"configs", "secrets", "labels"})


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
    return [
        *_texts(after, before, new, old),
        *_given("config", _paths(after), _paths(before)),
        *_given("secret", _secrets(after), _secrets(before)),
        *(text for field in fields for text in field),
        *_field("labels", _labels(after), _labels(before)),
    ]


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


def _given(kind: str, new: AbstractSet[str], old: AbstractSet[str]) -> Iterator[str]:
    yield from (f"{kind} {name} {_verb(name in new, name in old)}" for name in sorted(new ^ old))


def _paths(service: Service) -> set[str]:
    return {str(reference.target) for reference in service.config_references}


def _secrets(service: Service) -> set[str]:
    return {str(reference.source) for reference in service.secret_references}


def _labels(service: Service) -> dict[str, object]:
    """Without those that tell of secrets, whose values are told in their own words."""
    return {name: text for name, text in service.label_map.items() if not name.startswith(FINGERPRINT_LABEL)}


def _keys(new: Service, old: Service) -> list[str]:
    """The attributes that differ, without those told in their own words, and without extensions: Docker skips these."""
    keys = sorted(key for key in {*new.written, *old.written} - _OWN_WORDS if not key.startswith("x-"))
    return [key for key in keys if new.written.get(key) != old.written.get(key)]


def _field(key: str, new: object, old: object) -> Iterator[str]:
    """What differs, down to the innermost key."""
    after, before = _inside(new), _inside(old)
    if after is not None and before is not None:
        for inner in sorted({*after, *before}):
            if after.get(inner) != before.get(inner):
                yield from _field(f"{key}.{inner}", after.get(inner), before.get(inner))
    elif key == "image":
        yield f"image {old} -> {new}"
    else:
        yield f"{key} {_verb(new is not None, old is not None)}"


def _inside(value: object) -> Mapping[str, object] | None:
    """The keys below a value; None where it is not made of keys."""
    if isinstance(value, Element):
        return value.written
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else None


def _verb(is_there: bool, was_there: bool) -> str:
    return "changed" if is_there and was_there else "added" if is_there else "removed"


def _plain(config: str) -> str:
    """The config's name without the hash of its content."""
    return re.sub(r"-[0-9a-f]{10}$", "", config)
