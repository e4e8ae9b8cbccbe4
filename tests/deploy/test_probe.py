"""The probe: what it counts as lost, against a server on this machine that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from nself_sdk import DeclarationError, DriverError
from nself_sdk.deploy import Probe, Request, probing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ANSWERS = {
    "/ok": OK,
    "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "/moved": b"HTTP/1.1 308 Permanent Redirect\r\nContent-Length: 0\r\n\r\n",
    "/bad-gateway": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    "/short": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok",
    "/short-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    "/silent": b"",
    "/nonsense": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
}
ORPHANS: list[str] = []
LOST = {
    "/bad-gateway": "status 502",
    "/short": "the body ends too early",
    "/short-chunks": "the body ends too early",
    "/silent": "IncompleteReadError",
    "/nonsense": "no HTTP",
    "/hangs": "no answer in time",
}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    path, _, query = head.split()[1].partition("?")
    if query == "orphan":
        ORPHANS.append(path)
    if path == "/hangs":
        await asyncio.sleep(5)
    elif path == "/slow":
        await asyncio.sleep(0.5)
        writer.write(OK)
    elif path.startswith("/socket"):
        await socket(head, reader, writer, cut=path.endswith("cut"))
    writer.write(ANSWERS.get(path, b""))
    writer.close()


async def socket(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, cut: bool) -> None:
    """Answer pings, with some message in between; or close after the first."""
    key = next(line.split(": ")[1] for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode(), usedforsecurity=False).digest()
    accept = base64.b64encode(digest).decode()
    writer.write(f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    while (await reader.readexactly(6))[0] & 15 == 9:
        writer.write(b"\x81\x7e\x00\x80" + b"x" * 128 + (b"\x88\x02\x03\xe9" if cut else b"\x8a\x00"))
        if cut:
            return


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """Where that server answers."""
    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), list[int]()

    async def start() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()

    async def end() -> None:
        running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    thread = threading.Thread(target=lambda: (loop.create_task(start()), loop.run_forever()), daemon=True)
    thread.start()
    ready.wait()
    yield f"http://shop.example.com:{ports[0]}"
    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@contextmanager
def sending(base: str, *paths: str, **given):
    requests = tuple(Request(base + path) for path in paths)
    with probing(Probe(requests, address="127.0.0.1", **{"rate": 100, "timeout": 0.4, **given})) as traffic:
        yield traffic


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("path", ["/ok", "/chunked", "/moved"])
def test_an_answer_that_is_complete_is_not_lost(base: str, path: str) -> None:
    with sending(base, path) as traffic:
        until(lambda: traffic.report.requests > 10)
    assert (traffic.report.failed, traffic.report.failures) == (0, ())
    assert traffic.report.requests <= 1 + 100 * (traffic.report.seconds + 0.1)


@pytest.mark.parametrize("path", LOST)
def test_a_request_is_lost(base: str, path: str) -> None:
    with sending(base, path) as traffic:
        until(lambda: traffic.report.requests > 3)
    report = traffic.report
    assert report.failed == report.requests
    assert LOST[path] in report.failures[0].what
    assert path in str(report)


def test_nobody_there_is_lost() -> None:
    with sending("http://shop.example.com:1", "/ok") as traffic:
        until(lambda: traffic.report.requests > 3)
    assert traffic.report.lost == traffic.report.requests


def test_a_slow_request_is_in_flight_at_every_moment_and_its_time_is_not_in_the_quantiles(base: str) -> None:
    def slow() -> int:
        return sum(one.kind == "slow" for one in traffic.outcomes)

    with sending(base, "/ok", slow=(Request(f"{base}/slow"),), timeout=5) as traffic:
        until(lambda: slow() == 2)
    assert traffic.report.failed == 0
    assert slow() == 3, "the one in flight at the end is waited for"
    assert traffic.report.p99 < 400


def test_a_socket_that_lives_its_time_is_kept(base: str) -> None:
    given = {"sockets": (Request(f"{base}/socket".replace("http", "ws")),), "socket_seconds": 0.5}
    with sending(base, "/ok", **given) as traffic:
        until(lambda: traffic.report.sockets == 2)
    assert (traffic.report.sockets, traffic.report.kept, traffic.report.lost) == (3, 3, 0)


def test_a_socket_that_the_server_closes_is_lost(base: str) -> None:
    with sending(base, "/ok", sockets=(Request(f"{base}/socket-cut"),)) as traffic:
        until(lambda: traffic.report.lost > 1)
    report = traffic.report
    assert report.failed == 0
    assert report.lost == report.sockets - report.kept > 1
    assert "closed by the server, code 1001" in report.failures[0].what


def test_the_report_is_one_line_and_the_first_failures(base: str) -> None:
    with sending(base, "/ok", "/bad-gateway") as traffic:
        until(lambda: traffic.report.failed > 10)
    first, *rest = str(traffic.report).splitlines()
    assert first.startswith(f"{traffic.report.requests:,} requests, {traffic.report.failed} failed, p99 ")
    assert len(rest) == 10


def test_the_report_is_given_also_when_the_body_fails(base: str) -> None:
    seen = []
    probe = Probe((Request(f"{base}/ok"),), address="127.0.0.1")
    with pytest.raises(RuntimeError), probing(probe, seen.append):  # noqa: PT012 - the body is what fails
        time.sleep(0.1)
        raise RuntimeError
    assert [report.failed for report in seen] == [0]


def test_a_part_of_the_time_is_reported_alone(base: str) -> None:
    with sending(base, "/ok") as traffic:
        until(lambda: traffic.report.requests > 20)
    half = traffic.seconds / 2
    parts = traffic.between(0, half), traffic.between(half, traffic.seconds)
    assert sum(part.requests for part in parts) == traffic.report.requests
    assert min(part.requests for part in parts) > 5


def test_a_probe_that_cannot_start_says_why_before_the_body_runs(base: str, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("nonsense")
    with pytest.raises(DriverError, match=r"traffic ended with an error: ssl\.SSLError"):  # noqa: SIM117 - the body must not run
        with sending(base, "/ok", authority=authority):
            raise AssertionError
    with pytest.raises(DeclarationError, match=r"there is no .*\.pem"):
        Probe((Request(base),), authority=tmp_path / "missing.pem")


def test_a_script_without_a_guard_sends_and_is_not_run_again(base: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"""\
import time
from nself_sdk.deploy import Probe, Request, probing
print("once")
with probing(Probe((Request("{base}/ok"),), address="127.0.0.1", rate=50)) as traffic:
    time.sleep(0.5)
print(traffic.report.lost, traffic.report.requests > 10)
""")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["once", "0", "True"], "")


def test_the_process_that_sends_ends_with_the_one_that_asked(base: str) -> None:
    code = f"""
import os, signal
from nself_sdk.deploy import Probe, Request, probing
with probing(Probe((Request("{base}/ok?orphan"),), address="127.0.0.1")):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.PIPE, timeout=20)
    assert done.returncode == -9
    seen = len(ORPHANS)
    time.sleep(0.3)
    assert len(ORPHANS) - seen <= 1


@pytest.mark.parametrize("url", ["api.example.com", "ftp://api.example.com", "https://"])
def test_what_is_no_url_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(DeclarationError, match="is not a URL"):
        Probe((Request(url),))
