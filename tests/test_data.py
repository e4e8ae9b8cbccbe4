"""Changes that would leave a service without its data: each is refused, with the way to do it; all others are not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from nself_sdk import ComposeFile, Postgres, Project, render
from nself_sdk.data import POSTGRES_LABEL, Held, endangered, major
from nself_sdk.docker import Container
from nself_sdk.docker.values import Mount, Volume

BASE = """
name: shop
services:
  db: {image: "postgres:16.1-alpine", volumes: ["data:/var/lib/postgresql/data"]}
  setup: {image: "postgres:16.1-alpine", tmpfs: /var/lib/postgresql/data}
  files: {image: "minio:1", volumes: ["files:/data", "./site:/site"]}
volumes: {data: {}, files: {}}
"""


def container(service: str, image: str, source: str, target: str) -> Container:
    return Container(
        id=service,
        name=f"shop-{service}-1",
        project="shop",
        service=service,
        number=1,
        image=image,
        image_id="sha256:0",
        state="running",
        mounts=(Mount("volume", source, target, read_only=False),),
    )


RUNNING = (
    container("db", "postgres:16.1-alpine", "shop_data", "/var/lib/postgresql/data"),
    container("files", "minio:1", "shop_files", "/data"),
)


def volume(name: str, **labels: str) -> Volume:
    return Volume(name=name, driver="local", created_at=None, labels=labels)


VOLUMES = (volume("shop_data"), volume("shop_files"))


@dataclass(frozen=True)
class Case:
    """What differs from a host on which BASE runs, and where something is refused, and words of what is said."""

    says: str
    where: str = ""
    words: tuple[str, ...] = ()
    edits: dict[str, str] = field(default_factory=dict[str, str])
    held: dict[str, Any] = field(default_factory=dict[str, Any])


TO_17 = {'db: {image: "postgres:16.1-alpine"': 'db: {image: "postgres:17.2-alpine"'}  # fmt: skip
TO_18 = {
    'db: {image: "postgres:16.1-alpine", volumes: ["data:/var/lib/postgresql/data"]}':
        'db: {image: "postgres:18.0", volumes: ["data:/var/lib/postgresql"]}'
}  # fmt: skip
DOWN = {"containers": ()}
CASES = [
    Case("as it runs"),
    Case("another minor version", edits={'db: {image: "postgres:16.1-alpine"': 'db: {image: "postgres:16.4-alpine"'}),
    Case("a job's image", edits={'setup: {image: "postgres:16.1-alpine"': 'setup: {image: "postgres:17"'}),
    Case(
        "a major version",
        "services.db.image",
        (
            "Postgres 17 cannot read the data of Postgres 16 that is in shop_data",
            "docker exec shop-db-1 pg_dumpall -U postgres > shop-16.sql",
            "nself-sdk down staging",
            "--label com.docker.compose.volume=data --label dev.nself.postgres=17 shop_data",
            "-v shop_data:/var/lib/postgresql/data postgres:17.2-alpine",
            "nself-sdk deploy staging",
        ),
        TO_17,
    ),
    Case(
        "a major version, while it is down",
        "services.db.image",
        ("nself-sdk deploy staging  # with postgres:16.1-alpine, so that it runs\n    docker exec",),
        TO_17,
        DOWN,
    ),
    Case(
        "a major version, back",
        "services.db.image",
        ("Postgres 15 cannot read",),
        {'postgres:16.1-alpine", vol': 'postgres:15", vol'},
    ),
    Case(
        "18 looks elsewhere",
        "services.db.image",
        ("-v shop_data:/var/lib/postgresql postgres:18.0", "where 18 looks"),
        TO_18,
    ),
    Case(
        "a major version of data that was restored",
        edits=TO_17,
        held={**DOWN, "volumes": (volume("shop_data", **{POSTGRES_LABEL: "17"}), VOLUMES[1])},
    ),
    Case("a major version of no data", edits=TO_17, held={**DOWN, "volumes": ()}),
    Case(
        "another volume where the data was",
        "services.files.volumes",
        (
            "would start on shop_store, which is empty; what it has at /data is in shop_files",
            "-v shop_files:/from:ro -v shop_store:/to",
        ),
        {"files:/data": "store:/data", "files: {}": "store: {}"},
    ),
    Case(
        "another volume, while it is down",
        "services.files.volumes",
        ("shop_store, which is empty",),
        {"files:/data": "store:/data", "files: {}": "store: {}"},
        DOWN,
    ),
    Case(
        "another volume that is there",
        edits={"files:/data": "store:/data", "files: {}": "store: {}"},
        held={"volumes": (*VOLUMES, volume("shop_store"))},
    ),
    Case(
        "a volume's name",
        "services.files.volumes",
        ("would start on mine, which is empty",),
        {"files: {}": "files: {name: mine}"},
    ),
    Case(
        "a volume's driver",
        "volumes.files",
        ("driver and driver_opts changed, but shop_files exists",),
        {"files: {}": "files: {driver: local, driver_opts: {type: nfs}}"},
    ),
    Case(
        "a volume's label",
        "volumes.data",
        ("labels changed", "make it anew, empty"),
        {"{data: {}": "{data: {labels: {a: b}}"},
    ),
    Case(
        "a label of a volume that is not there",
        edits={"{data: {}": "{data: {labels: {a: b}}"},
        held={**DOWN, "volumes": ()},
    ),
    Case(
        "another name of the project",
        "project",
        (
            "this is old under another name",
            "docker compose --project-name old down",
            "-v old_data:/from:ro -v shop_data:/to",
        ),
        held={"containers": (), "release": None, "volumes": (), "elsewhere": {"old": ("old_data",)}},
    ),
    Case(
        "another name, its data taken along",
        held={"containers": (), "release": None, "elsewhere": {"old": ("old_data",)}},
    ),
]


def problems(case: Case) -> list[Any]:
    text = BASE
    for old, new in case.edits.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    usual: dict[str, Any] = {"containers": RUNNING, "volumes": VOLUMES, "release": ComposeFile.loads(BASE)}
    return list(endangered(ComposeFile.loads(text), "staging", Held(**{**usual, **case.held})))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_what_is_refused(case: Case) -> None:
    found = problems(case)
    assert [problem.where for problem in found] == ([case.where] if case.where else [])
    assert [word for word in case.words if word not in str(found[0])] == []


@pytest.mark.parametrize(
    ("image", "version"),
    [("postgres:16.15-alpine3.24", 16), ("docker.io/library/postgres:9", 9), ("pgvector/pgvector:pg17", 17),
     ("postgis/postgis:16-3.4", 16), ("postgres", None), ("postgres:latest", None), ("redis:7", None),
     ("prometheuscommunity/postgres-exporter:v0.17", None), ("timescale/timescaledb:2.17-pg16", 16)],
)  # fmt: skip
def test_the_major_version_that_an_image_says(image: str, version: int | None) -> None:
    assert major(image) == version


@pytest.mark.parametrize(
    ("image", "folder"),
    [("postgres:17.2-alpine", "/var/lib/postgresql/data"), ("postgres:18.1", "/var/lib/postgresql")],
)
def test_the_volume_is_where_the_image_looks(image: str, folder: str) -> None:
    file = render(Project("shop").add(Postgres(image=image)), "prod")
    assert [str(mount.target) for mount in file.services["postgres"].volume_mounts] == [folder]
