"""What runs healthy becomes a release: who, when, from what, and how it went. It starts nothing."""

from __future__ import annotations

from collections.abc import Sequence

from nself_sdk.deploy import observing, releases
from nself_sdk.deploy.progress import Report
from nself_sdk.deploy.releases import Release
from nself_sdk.docker import Driver
from nself_sdk.plan import Wanted
from nself_sdk.store import ProjectFolder, revision


def is_news(history: Sequence[Release], wanted: Wanted, report: Report) -> bool:
    """Whether it becomes a release: something changed now, or by a deploy that was cut off and kept nothing."""
    if not history or (report.plan and report.plan.pending):
        return True
    newest = history[0]
    return (newest.file, newest.fingerprints) != (wanted.file.to_yaml(), dict(wanted.fingerprints))


def record(driver: Driver, folder: ProjectFolder, wanted: Wanted, report: Report, message: str) -> Release:
    """Keep what the deploy brought as the host's newest release."""
    commit, dirty = revision.revision(folder.path)
    project = wanted.file.name or ""
    ids = {c.service: c.image_id for c in driver.containers(project)}
    release = Release(
        project=project,
        environment=wanted.environment,
        who=revision.operator(),
        revision=commit,
        dirty=dirty,
        message=message,
        file=wanted.file.to_yaml(),
        references={name: observing.image_of(wanted.file, name) for name in wanted.file.services},
        images={name: image for name, image in ids.items() if name in wanted.file.services},
        hashes=dict(wanted.hashes),
        fingerprints=dict(wanted.fingerprints),
        seconds=report.services,
        steps=report.measured,
        probe=report.probe,
    )
    return releases.keep(driver, release)


def record_again(driver: Driver, release: Release, wanted: Wanted, report: Report) -> Release:
    """Keep a release that was restored as the host's newest: the same, but for who went back and how it went."""
    back = release.replace(
        message=f"rollback to {release.number}",
        who=revision.operator(),
        restores=release.origin,
        hashes=dict(wanted.hashes),
        fingerprints=dict(wanted.fingerprints),
        seconds={**release.seconds, **report.services},
        steps=report.measured,
        probe=None,
    )
    return releases.keep(driver, back)
