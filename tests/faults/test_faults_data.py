"""F27, F28: the database under load, while everything else is deployed, and while it is itself replaced."""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest
from oracles import Kept, Prober, availability, check, convergence, data, lock
from rig.shell import RigError

if TYPE_CHECKING:
    from shop import Shop

_LOG = logging.getLogger(__name__)
pytestmark = [pytest.mark.docker, pytest.mark.long]


def test_no_transaction_is_lost_while_everything_else_is_deployed(shop: Shop) -> None:
    before, old = Kept.of(shop), shop.version
    bench = ["exec", f"{shop.name}-postgres-1", "pgbench", "-U", "postgres"]
    shop.docker(*bench, "-i", "-q", shop.name)
    told: list[str] = []
    load = threading.Thread(target=lambda: told.append(shop.docker(*bench, "-n", "-c", "4", "-T", "25", shop.name)))
    with Prober(shop) as prober:
        load.start()
        time.sleep(2)
        new = shop.change_much()
        done = shop.deploy().end()
        under_load = load.is_alive()
        load.join()
    wrong = [] if done.code == 0 else [done.text]
    wrong += [] if under_load else ["the load was over before the deploy"]
    [text] = told
    [processed] = re.findall(r"actually processed: (\d+)", text)
    wrong += [] if "number of failed transactions: 0 " in text else [text]
    wrong += (
        [] if shop.sql("SELECT count(*) FROM pgbench_history") == processed else [f"rows are missing of {processed}"]
    )
    check(wrong, data(shop, before), availability(prober, old, new), lock(shop), convergence(shop, new))


class Writer:
    """Writes row after row, and knows which the database has taken."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.taken: list[int] = []
        self.gaps: list[float] = []
        self._done = threading.Event()

    def __enter__(self) -> Self:
        self.shop.sql("CREATE TABLE IF NOT EXISTS written (id int PRIMARY KEY)")
        self.shop.sql("TRUNCATE written")
        self._thread = threading.Thread(target=self._write)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _write(self) -> None:
        number, last = 0, time.monotonic()
        while not self._done.is_set():
            number += 1
            try:
                row = self.shop.sql(f"INSERT INTO written VALUES ({number}) RETURNING id")  # noqa: S608 - our own number
                self.taken.append(int(row))
            except (RigError, ValueError):
                continue
            self.gaps.append(time.monotonic() - last)
            last = time.monotonic()


def test_a_changed_database_is_shut_down_cleanly_and_keeps_every_committed_row(shop: Shop) -> None:
    before = Kept.of(shop)
    with Writer(shop) as writer:
        time.sleep(3)
        new = shop.declare(postgres={"memory": "900m"})
        done = shop.deploy().end()
        time.sleep(2)
    there = {int(row) for row in shop.sql("SELECT id FROM written").split()}
    logs = shop.logs("postgres")
    _LOG.info("%s rows written, the longest gap %.1f s", len(writer.taken), max(writer.gaps))
    wrong = [] if done.code == 0 else [done.text]
    wrong += [] if set(writer.taken) <= there else [f"data: lost {sorted(set(writer.taken) - there)}"]
    wrong += [] if "database system was shut down at" in logs else ["data: it was not shut down cleanly"]
    wrong += ["data: it had to recover"] if "was not properly shut down" in logs else []
    wrong += [] if Kept.of(shop).postgres != before.postgres else ["Postgres was not replaced at all"]
    check(wrong, data(shop, before, same_postgres=False), lock(shop), convergence(shop, new))
