"""What one release changed against another, by service, in a person's words. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from nself_sdk.compose import ComposeFile
from nself_sdk.deploy.releases import Release
from nself_sdk.passes import FINGERPRINT_LABEL
from nself_sdk.plan import short
from nself_sdk.reasons import differences, rotated


def compared(old: Release, new: Release) -> dict[str, tuple[str, ...]]:
    """What differs, by service; services that are the same in both are left out."""
    before, after = ComposeFile.loads(old.file), ComposeFile.loads(new.file)
    found = {name: tuple(_differs(name, old, new, before, after)) for name in {*before.services, *after.services}}
    return {name: texts for name, texts in sorted(found.items()) if texts}


def _differs(name: str, old: Release, new: Release, before: ComposeFile, after: ComposeFile) -> Iterator[str]:
    if name not in before.services:
        yield "added"
    elif name not in after.services:
        yield "removed"
    else:
        yield from differences(name, after, before)
        yield from rotated(_labels(name, old, before), new.fingerprints)
        then, now = old.images.get(name, ""), new.images.get(name, "")
        if then and now and then != now and old.references[name] == new.references[name]:
            yield f"image {new.references[name]} moved: {short(then)} -> {short(now)}"


def _labels(name: str, release: Release, file: ComposeFile) -> dict[str, str]:
    """The fingerprints of the secrets that the service used, as its containers were labelled with them."""
    service = file.services[name]
    used = {f"{FINGERPRINT_LABEL}{(secret.source or '').lower()}" for secret in service.secret_references}
    used |= {label for label in service.label_map if label.startswith(FINGERPRINT_LABEL)}
    marks = {f"{FINGERPRINT_LABEL}{secret.lower()}": mark for secret, mark in release.fingerprints.items()}
    return {label: mark for label, mark in marks.items() if label in used}
