"""Data and jobs on a real engine: migrations run once or not at all, a database keeps every row, and the way back.

One stack for all: each test leaves it healthy, and goes on from where the one before stopped.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from typing import TYPE_CHECKING

import pytest
from observed import remains
from rig.shell import docker

from nself_sdk import ComposeFile, DeclarationError, DriverError, Environment, Postgres, Project
from nself_sdk.errors import UnhealthyServiceError
from nself_sdk.testing import NselfStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nself_sdk import Deployment

pytestmark = pytest.mark.docker

REDIS = "redis:7.2.16-alpine3.21"
POSTGRES = Postgres().image
# In the names of images, so that runs side by side do not remove each other's.
RUN = uuid.uuid4().hex[:8]
#: The same program under the name of another major version: what is refused goes by the name.
NEXT_MAJOR = f"postgres:17.0-nself-test-{RUN}"
STAGING = Environment.named("staging", domain="shop.example.com", tls="local-ca")
LEDGER = """
services:
  ledger:
    image: {image}
    environment: {{VERSION: "{version}"}}
    depends_on: {{ledger-migrate: {{condition: service_completed_successfully}}}}
  ledger-migrate:
    image: {postgres}
    restart: "no"
    x-nself-once: true
    entrypoint: [sh, -c, 'PGPASSWORD="$$(cat /run/secrets/POSTGRES_PASSWORD)" exec psql -X -q -h postgres -U postgres
      -d shop -v ON_ERROR_STOP=1 --single-transaction -f /migrate.sql']
    tmpfs: /var/lib/postgresql/data
    secrets: [POSTGRES_PASSWORD]
    configs: [{{source: migrate.sql, target: /migrate.sql}}]
    depends_on: {{postgres: {{condition: service_healthy}}}}
configs: {{migrate.sql: {{content: "{sql}"}}}}
"""
FIRST = "CREATE TABLE IF NOT EXISTS entries (n int); INSERT INTO entries SELECT generate_series(1, 1000);"
BROKEN = "DELETE FROM entries; ALTER TABLE entries ADD price int; SELECT no_such_function();"
SECOND = "INSERT INTO entries VALUES (1001);"


def project(version: str = "1", sql: str = FIRST, image: str = REDIS, postgres: Postgres | None = None) -> Project:
    ledger = LEDGER.format(version=version, sql=sql, image=image, postgres=POSTGRES)
    database = postgres or Postgres(port=None, memory="256m", database="shop")
    return Project("shop").add(database).add(ComposeFile.loads(ledger))


@pytest.fixture(scope="module")
def stack(rig_images: Callable[..., object]) -> Iterator[NselfStack]:
    rig_images(REDIS, POSTGRES)
    with NselfStack(project(), STAGING) as running:
        yield running
        # What the tests of ways back named.
        for reference in docker("image", "ls", "-q", "--filter", f"label=dev.nself.test={RUN}").split():
            docker("rmi", "-f", reference)
    assert remains(running.name) == {}


def rows(stack: NselfStack) -> str:
    """How many entries there are, and a sum over all of them."""
    sql = "SELECT count(*), md5(string_agg(n::text, ',' ORDER BY n)) FROM entries"
    return stack.exec("postgres", ["psql", "-At", "-U", "postgres", "-d", "shop", "-c", sql]).stdout.strip()


def ids(stack: NselfStack) -> dict[str, str]:
    return {state.service: state.container.id for state in stack.deployment.status() if state.container}


def kinds(deployment: Deployment) -> dict[str, str]:
    """What would change, by service."""
    return {change.service: change.kind for change in deployment.plan().pending}


def test_a_migration_ran_once_before_the_first_start(stack: NselfStack) -> None:
    assert rows(stack).startswith("1000|")
    assert stack.deployment.drift().differences == ()


def test_a_second_deploy_runs_nothing_and_replaces_nothing(stack: NselfStack) -> None:
    before = ids(stack)
    assert stack.deployment.deploy().plan.pending == ()  # type: ignore[union-attr]
    assert ids(stack) == before
    assert rows(stack).startswith("1000|")


@pytest.mark.long
def test_a_service_that_changes_does_not_run_its_migration_again_and_the_database_is_not_touched(
    stack: NselfStack,
) -> None:
    before = ids(stack)
    stack.changed(project("2")).deploy()
    after = ids(stack)
    assert {name for name in after if after[name] != before[name]} == {"ledger"}
    assert rows(stack).startswith("1000|")


def test_f25_a_migration_that_fails_half_way_changes_nothing(stack: NselfStack) -> None:
    before, data = ids(stack), rows(stack)
    with pytest.raises(UnhealthyServiceError) as failure:
        stack.changed(project("3", BROKEN)).deploy()
    assert failure.value.service == "ledger-migrate"
    assert "function no_such_function() does not exist" in failure.value.logs
    assert rows(stack) == data
    assert {name: ids(stack)[name] for name in ("ledger", "postgres")} == {n: before[n] for n in ("ledger", "postgres")}
    number = stack.deployment.releases()[0].number

    stack.changed(project("3", SECOND)).deploy()
    assert rows(stack).startswith("1001|")
    assert stack.deployment.releases()[0].number == number + 1


@pytest.mark.long
def test_a_rollback_does_not_run_the_older_migration(stack: NselfStack) -> None:
    data = rows(stack)
    report = stack.deployment.rollback()
    assert [change.service for change in report.plan.pending] == ["ledger"]  # type: ignore[union-attr]
    assert rows(stack) == data
    assert stack.deployment.drift().differences == ()
    stack.changed(project("3", SECOND)).deploy()


def test_f28_a_deploy_that_changes_the_database_stops_it_cleanly_and_keeps_every_row(stack: NselfStack) -> None:
    before, data = ids(stack), rows(stack)
    database = Postgres(port=None, memory="300m", database="shop")
    report = stack.changed(project("3", SECOND, postgres=database)).deploy()
    [change] = [change for change in report.plan.pending if change.service == "postgres"]  # type: ignore[union-attr]
    assert (change.order, change.risks) == ("stop-first", (f"holds data: {stack.name}_postgres-data (kept)",))
    assert ids(stack)["postgres"] != before["postgres"]
    assert rows(stack) == data
    assert "database system was shut down at" in stack.logs("postgres")
    assert "was not properly shut down" not in stack.logs("postgres")


def test_f29_what_would_lose_sight_of_data_is_refused_and_nothing_is_touched(stack: NselfStack) -> None:
    before, data = ids(stack), rows(stack)
    docker("tag", POSTGRES, NEXT_MAJOR)
    try:
        upgrade = stack.changed(project(postgres=Postgres(port=None, database="shop", image=NEXT_MAJOR)))
        assert "Postgres 17 cannot read the data of Postgres 16" in str(upgrade.plan())
        with pytest.raises(DeclarationError, match="pg_dumpall"):
            upgrade.deploy()
    finally:
        docker("rmi", NEXT_MAJOR)
    relabelled = ComposeFile.loads("volumes: {postgres-data: {labels: {a: b}}}")
    changed = stack.changed(project("3"))
    changed.file = changed.file.replace(volumes=relabelled.volumes)
    with pytest.raises(DeclarationError, match=r"labels changed, but .* exists as it was made"):
        changed.deploy()
    assert (ids(stack), rows(stack)) == (before, data)


def test_f29_a_project_under_another_name_is_not_begun_without_its_data(stack: NselfStack) -> None:
    renamed = stack.changed(project())
    renamed.project.name = f"{stack.name}-new"
    renamed.file = renamed.file.replace(name=renamed.project.name)
    with pytest.raises(DeclarationError, match=f"this is {stack.name} under another name"):
        renamed.deploy()
    assert remains(renamed.project.name) == {}


def ledger_image(version: str) -> str:
    name = f"nself-test-ledger-{RUN}:{version}"
    dockerfile = f"FROM {REDIS}\nLABEL dev.nself.test={RUN} version={version}\n"
    docker("build", "-q", "-t", name, "-", text=dockerfile)
    return name


@pytest.mark.long
def test_f30_a_way_back_over_an_image_that_is_gone_is_a_named_error_and_the_present_serves_on(
    stack: NselfStack,
) -> None:
    for version in ("1", "2"):
        stack.changed(project("3", SECOND, ledger_image(version))).deploy()
    number = stack.deployment.releases()[1].number
    image = stack.deployment.releases()[1].images["ledger"]
    docker("rmi", "-f", image)
    before = ids(stack)
    gone = f"no longer has what release {number} ran: nself-test-ledger-{RUN}:1 of ledger"
    with pytest.raises(DriverError, match=gone):
        stack.deployment.rollback()
    assert ids(stack) == before
    assert stack.deployment.plan().pending == ()


def test_what_is_done_by_hand_is_drift_and_a_deploy_mends_it(stack: NselfStack) -> None:
    stack.changed(project("3", SECOND)).deploy()
    ledger = stack.container("ledger").id
    docker("update", "--memory", "50m", "--memory-swap", "50m", ledger)
    docker("stop", "--time", "0", stack.container("postgres").id)
    found = {(row.where, row.kind) for row in stack.deployment.drift().differences}
    assert found == {("ledger", "changed"), ("postgres", "stopped")}
    docker("rm", "-f", ledger)
    assert kinds(stack.deployment) == {"ledger": "create", "postgres": "replace"}
    stack.deployment.deploy()
    assert stack.deployment.drift().differences == ()


@pytest.mark.long
def test_f29_the_way_to_another_major_version_works_as_it_is_written(stack: NselfStack) -> None:
    data = rows(stack)
    docker("tag", POSTGRES, NEXT_MAJOR)
    database = Postgres(port=None, database="shop", image=NEXT_MAJOR)
    upgrade = stack.changed(project("3", "SELECT 1", postgres=database))  # it runs again, as all jobs after a down
    commands = [line.strip() for line in str(upgrade.plan().refusals[0]).splitlines()[1:]]
    for command in commands[:-1]:
        if command.startswith("nself-sdk down"):
            upgrade.down()
        else:
            subprocess.run(["sh", "-ec", command], check=True, cwd=stack.folder.path, timeout=120, env=os.environ)
    upgrade.deploy()
    assert rows(stack) == data
    docker("volume", "rm", f"{stack.name}_postgres-data-16")
    docker("rmi", "-f", NEXT_MAJOR)
