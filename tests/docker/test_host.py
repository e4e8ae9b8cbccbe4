"""What a host says of itself: the script's output read, and the script run for real on this machine."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from nself_sdk.docker import Host
from nself_sdk.docker.host import parsed, script
from nself_sdk.docker.names import resolved
from nself_sdk.docker.transport import LocalLine

# What a Debian 13 container and a busybox-only Alpine wrote, shortened.
DEBIAN = """\
= disk
Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/vda         264212084 30404228  75986684      29% /var/lib/docker
= inodes
Filesystem       Inodes  IUsed    IFree IUse% Mounted on
/dev/vda       16777216 745220 16031996    5% /var/lib/docker
= tcp
   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2459357 1 0 100 0 0 10 0
   1: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0 0 0
   2: 0000000000000000FFFF0000020011AC:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0 0 0
= routes
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010011AC	0003	0	0	0	00000000	0	0	0
docker0	000012AC	00000000	0001	0	0	0	0000FFFF	0	0	0
= addresses
203.0.113.9 39742 172.17.0.2 22
172.18.0.1 172.17.0.2
= sshd
MaxSessions 4
maxstartups=2:100:2
MaxSessions 10
= end
"""
NOTHING = "= disk\n= inodes\n= tcp\n= routes\n= addresses\n\n= sshd\n= end\n"


def test_what_a_host_says_is_read():
    assert parsed(DEBIAN) == Host(
        disk_free=75986684 * 1024,
        inodes_free=16031996,
        listening=(("127.0.0.1", 22), ("172.17.0.2", 80), ("::", 443)),
        routes=("172.18.0.0/16",),
        addresses=("172.17.0.2", "172.18.0.1"),
        sshd={"maxsessions": "4", "maxstartups": "2:100:2"},
    )


@pytest.mark.parametrize("text", ["", NOTHING, DEBIAN.replace("= end\n", "")], ids=["nothing", "empty", "cut off"])
def test_what_cannot_be_seen_is_none(text):
    assert parsed(text) == Host()


def test_a_file_system_that_counts_no_inodes_has_not_run_out_of_them():
    btrfs = DEBIAN.replace("16777216 745220 16031996", "0 0 0")
    assert parsed(btrfs).inodes_free is None


def test_the_script_sees_this_machine(tmp_path):
    done = LocalLine("/none", {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}).shell(script(str(tmp_path)), 20)
    seen = parsed(done.stdout)
    assert seen.disk_free
    assert seen.addresses


def test_the_path_of_the_engine_is_no_part_of_the_script(tmp_path):
    odd = tmp_path / "it's; touch made"
    odd.mkdir()
    line = LocalLine("/none", {"PATH": "/usr/bin:/bin"})
    assert parsed(line.shell(f"cd {tmp_path}\n" + script(str(odd)), 20).stdout).disk_free
    assert [path.name for path in tmp_path.iterdir()] == [odd.name]


def test_names_are_asked_of_dns_at_once_and_nobody_waits_for_one_that_hangs(monkeypatch):
    end = threading.Event()

    def getaddrinfo(name, *_, **__):
        if name == "hangs":
            end.wait(20)
        if name == "none":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        if name == "later":
            raise socket.gaierror(socket.EAI_AGAIN, "no server answers")
        return [
            (2, 1, 6, "", ("192.0.2.1", 0)),
            (2, 1, 6, "", ("192.0.2.1", 0)),
            (10, 1, 6, "", ("2001:db8::1", 0, 0, 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    begin = time.monotonic()
    assert resolved(["good", "hangs", "none", "later"], 0.2) == {"good": ("192.0.2.1", "2001:db8::1"), "none": ()}
    assert time.monotonic() - begin < 2
    end.set()
