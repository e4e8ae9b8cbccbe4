"""A target is read from a URL, whole and checked, before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from nself_sdk.docker import LOCAL, Target
from nself_sdk.errors import DeclarationError


def test_an_ssh_url_gives_user_host_and_port():
    assert Target.parse("ssh://deploy@vps.example.com:2222") == Target(host="vps.example.com", user="deploy", port=2222)


def test_what_the_url_leaves_open_stays_open_for_the_ssh_configuration():
    assert Target.parse("ssh://Vps_1") == Target(host="Vps_1")  # an alias of ~/.ssh/config keeps its case


def test_an_ipv6_address_stands_in_brackets():
    target = Target.parse("ssh://[fe80::1%eth0]:22")
    assert (target.host, target.port) == ("fe80::1%eth0", 22)
    assert Target.parse(target.url) == target


def test_local_is_this_machine():
    assert Target.parse() == Target.parse("local") == LOCAL
    assert Target.parse("unix:///run/user/1000/docker.sock").socket == "/run/user/1000/docker.sock"


def test_key_and_known_hosts_serve_the_jump_host_too(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    target = Target.parse("ssh://db", identity_file="~/key", known_hosts="/pins", jump="gate@gate.example.com:22")
    assert target.identity_file == Path("/home/me/key")
    assert target.jump == Target(
        host="gate.example.com", user="gate", port=22, identity_file=Path("/home/me/key"), known_hosts=Path("/pins")
    )


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ssh://-oProxyCommand=id", "host: '-oProxyCommand=id' starts with '-'"),
        ("ssh://", "host: '' is not a host name"),
        ("ssh://a b", "'a b' is not a host name"),
        ("ssh://$(id)", "is not a host name"),
        ("ssh://host;id", "is not a host name"),
        ("ssh://host\nx", "is not a host name"),
        ("ssh://-lroot@host", "user: '-lroot' is not a user name"),
        ("ssh://root;id@host", "user: 'root;id' is not a user name"),
        ("ssh://$(id)@host", "user: '$(id)' is not a user name"),
        ("ssh://a b@host", "user: 'a b' is not a user name"),
        ("ssh://@host", "user: '' is not a user name"),
        ("ssh://u:pw@h", "a password in the URL is not accepted"),
        ("ssh://host:0", "port: 0 is not a port"),
        ("ssh://host:65536", "port: 65536 is not a port"),
        ("ssh://host:22x", "port: '22x' is not a port"),
        ("ssh://host/path", "something follows the host and port"),
        ("ssh://host?x=1", "something follows the host and port"),
        ("tcp://host:2375", "'tcp://host:2375' names no place of Docker"),
        ("host", "'host' names no place of Docker"),
        ("unix://relative", "socket: 'relative' is not the path of a socket"),
        ("unix:///a:b", "socket: '/a:b' is not the path of a socket"),
    ],
)
def test_a_wrong_url_is_told_with_its_fault(url, told):
    with pytest.raises(DeclarationError) as caught:
        Target.parse(url)
    assert told in str(caught.value)


def test_a_password_is_never_repeated():
    with pytest.raises(DeclarationError) as caught:
        Target.parse("http://me:hunter2secret@host")
    assert "hunter2secret" not in str(caught.value)


def test_all_faults_come_at_once():
    with pytest.raises(DeclarationError) as caught:
        Target.parse("ssh://Root!:pw@-h:99999/x", socket="relative", jump="X@-gate:ab")
    assert {problem.where for problem in caught.value.problems} == {
        "host", "user", "port", "socket", "jump host", "jump user", "jump port",
    }  # fmt: skip


def test_options_without_a_host_are_refused():
    with pytest.raises(DeclarationError, match="needs an ssh host"):
        Target(identity_file=Path("key"))
