"""Releases: what was deployed, kept on the host itself as images, so that any machine can list them and go back.

A release is an image without a program: its labels hold the release as JSON, its one layer the Compose file for a
person to read (``docker save``). The images that it ran are kept under names of their own.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
from datetime import datetime

from pydantic import Field, ValidationError

from nself_sdk.deploy.probe import ProbeReport
from nself_sdk.docker import Driver
from nself_sdk.errors import DeclarationError, DriverError, Problem
from nself_sdk.model import Model

LABEL = "dev.nself.release"
#: Compose's own label on what it builds.
_BUILT_FOR = "com.docker.compose.project"
_DOCUMENT = "dev.nself.release.json"

#: How many releases are kept, with their images.
KEPT = 5


class Release(Model):
    """One deploy that ended healthy. No secret's value is in it, only fingerprints."""

    #: Counted from 1 by the host; 0 while it is not kept yet.
    number: int = 0
    project: str
    environment: str
    who: str
    #: On the host's clock; None while it is not kept yet.
    when: datetime | None = None
    #: The git revision it was made from; empty where there is none.
    revision: str = ""
    #: Whether the work tree had changes that are in no revision.
    dirty: bool = False
    message: str = ""
    file: str
    #: By service: the image's name in the file, and the id that it had.
    references: dict[str, str] = Field(default_factory=dict)
    images: dict[str, str] = Field(default_factory=dict)
    #: By service: Compose's own hash of its definition, as its containers carry it.
    hashes: dict[str, str] = Field(default_factory=dict)
    fingerprints: dict[str, str] = Field(default_factory=dict)
    #: By service: the seconds until it was healthy.
    seconds: dict[str, float] = Field(default_factory=dict)
    #: The seconds of each step of its deploy, and what became of the traffic that ran meanwhile.
    steps: dict[str, float] = Field(default_factory=dict)
    probe: ProbeReport | None = None
    #: The release that a rollback restored by this one; 0 where it was deployed.
    restores: int = 0

    @property
    def origin(self) -> int:
        """The release that was deployed with this content."""
        return self.restores or self.number

    @property
    def source(self) -> str:
        """The git revision it was made from, and whether that is all."""
        return f"{self.revision[:12]}{' with local changes' if self.dirty else ''}" if self.revision else ""

    def __str__(self) -> str:
        when = f"{self.when:%Y-%m-%d %H:%M:%S}" if self.when else "never"
        source = f" from {self.source}" if self.source else ""
        return f"{self.number}  {when}  {self.who}{source}  {self.message}".rstrip()


def history(driver: Driver, project: str) -> tuple[Release, ...]:
    """The releases that the host keeps, the newest first.

    Raises:
        DriverError: one of them was kept by a newer version of the SDK.
    """
    found = map(_read, _documents(driver, f"{LABEL}={project}"))
    return tuple(sorted(found, key=lambda release: -release.number))


def every(driver: Driver) -> tuple[Release, ...]:
    """The releases of every project on the host, without those that a newer version of the SDK kept."""
    found: list[Release] = []
    for document in _documents(driver, LABEL):
        with contextlib.suppress(DriverError):
            found.append(_read(document))
    return tuple(found)


def _documents(driver: Driver, label: str) -> list[str]:
    return [image.labels[_DOCUMENT] for image in driver.images(label) if _DOCUMENT in image.labels]


def _read(document: str) -> Release:
    try:
        return Release.model_validate_json(document)
    except ValidationError:
        what = "a release on the host is not one that this version of nself-sdk can read"
        raise DriverError(what, "a newer version kept it: upgrade nself-sdk here") from None


def chosen(releases: tuple[Release, ...], number: int | None) -> Release:
    """The release of that number, or the one that was deployed before what runs now: a second rollback goes further.

    Raises:
        DeclarationError: the host does not keep it.
    """
    for release in releases:
        if release.number == number or (number is None and release.origin < releases[0].origin):
            return release
    known = ", ".join(str(release.number) for release in releases)
    if not releases:
        raise DeclarationError(Problem("release", "the host keeps none of this project yet", "deploy it first"))
    what = "there is no release before the present one" if number is None else f"there is no release {number}"
    raise DeclarationError(Problem("release", what, f"the host keeps: {known}"))


def keep(driver: Driver, release: Release) -> Release:
    """Put the release on the host as its newest, with names for its images, and let the oldest go."""
    before = history(driver, release.project)
    # What was left alone took what it took when it was last changed.
    seconds = {**(before[0].seconds if before else {}), **release.seconds}
    release = release.replace(
        number=max((kept.number for kept in before), default=0) + 1,
        when=driver.info().time,
        seconds={name: took for name, took in seconds.items() if name in release.references},
    )
    for service, image in release.images.items():
        driver.tag(image, _kept_name(release, service))
    labels = {LABEL: release.project, _DOCUMENT: release.model_dump_json()}
    driver.load([archive(_name(release), labels, {"docker-compose.yml": release.file})])
    forget(driver, release.project, KEPT)
    return release


def restore_images(driver: Driver, release: Release) -> None:
    """Let the names in the release's file mean the images that they meant then.

    Raises:
        DriverError: the host has one of these images no more; nothing was touched.
    """
    there = {image: driver.image(image) for image in dict.fromkeys(release.images.values())}
    gone = [service for service, image in release.images.items() if there[image] is None]
    if gone:
        named = ", ".join(f"{release.references[service]} of {service}" for service in gone)
        hint = "what runs now runs on; go back to another release, or deploy what you want to run"
        raise DriverError(f"the host no longer has what release {release.number} ran: {named}", hint)
    for service, image in release.images.items():
        present = driver.image(release.references[service])
        if present is None or present.id != image:
            driver.tag(image, release.references[service])


def archive(reference: str, labels: dict[str, str], files: dict[str, str]) -> bytes:
    """An image as ``docker load`` takes it, with these labels and one layer of files; the same bytes every time.

    Source: https://github.com/moby/docker-image-spec/blob/main/spec.md, "Combined Image JSON + Filesystem Changeset".
    """
    layer = _tar({name: text.encode() for name, text in files.items()})
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    text = json.dumps(config, sort_keys=True).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [reference], "Layers": ["layer.tar"]}]).encode()
    return _tar({"layer.tar": layer, name: text, "manifest.json": manifest})


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o444
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def forget(driver: Driver, project: str, kept: int = 0) -> None:
    """Let go of all releases but the newest, and of the images that only they name.

    Never of data, and never of an image that a container uses.
    """
    releases = history(driver, project)
    used = {reference for release in releases[:kept] for reference in release.references.values()}
    for release in releases[kept:]:
        for reference in (*(_kept_name(release, service) for service in release.images), _name(release)):
            drop(driver, reference)
    # What was built for this project only, also by a deploy that failed; another project may use the same Postgres.
    for image in driver.images(f"{_BUILT_FOR}={project}"):
        for reference in image.tags:
            if _is_built_name(reference, project) and not {reference, reference.removesuffix(":latest")} & used:
                drop(driver, reference)


def drop(driver: Driver, reference: str) -> None:
    """Take a name from an image, if it is there and no container needs it."""
    with contextlib.suppress(DriverError):
        driver.remove_image(reference)


def _is_built_name(reference: str, project: str) -> bool:
    """Whether an image of the project's code is called so, in whatever registry; but not what a release calls it."""
    return not reference.startswith("nself-release/") and reference.rpartition("/")[2].startswith(f"{project}-")


def _name(release: Release) -> str:
    return f"nself-release/{release.project}:{release.number}"


def _kept_name(release: Release, service: str) -> str:
    return f"nself-release/{release.project}-{service}:{release.number}"
