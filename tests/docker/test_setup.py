"""Preparing a host, decided: what a survey saw, and the steps that follow from it."""

from __future__ import annotations

import json
import subprocess

import pytest

from nself_sdk.docker.setup import LOG_ROTATION, as_root, preparation, surveyed
from nself_sdk.errors import DriverError

ROTATED = json.dumps(LOG_ROTATION)
FRESH = {
    "user": "deploy\ndeploy sudo",
    "ssh": "203.0.113.9 39742 10.0.0.2 2222",
    "os": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_CODENAME=trixie\nID=debian',
    "systemd": "yes",
    **dict.fromkeys(
        (
            "client",
            "engine",
            "compose",
            "answers",
            "running",
            "daemon",
            "targets",
            "periodic",
            "installed",
            "firewalld",
        ),
        "",
    ),
    "ufw": "",
    "rules": "",
    "end": "",
}
READY = {
    **FRESH,
    "user": "deploy\ndeploy sudo docker",
    "client": "Docker version 26.1.5+dfsg1, build a72d7cd",
    "engine": "Docker version 26.1.5+dfsg1, build 411e817",
    "compose": "2.26.1-4",
    "answers": "26.1.5+dfsg1",
    "daemon": ROTATED,
    "periodic": 'APT::Periodic::Unattended-Upgrade "1";',
    "installed": "unattended-upgrades install ok installed\nufw install ok installed",
    "ufw": "Status: active",
    "rules": "Added user rules\nufw allow 2222/tcp\nufw allow 80/tcp\nufw allow 443/tcp",
}


def steps(*ports: int, **changes: str) -> dict[str, str]:
    seen = {**(READY if changes.pop("of", "ready") == "ready" else FRESH), **changes}
    return {step.what: step.commands for step in preparation(seen, ports or (80, 443)).steps}


def test_a_fresh_host_gets_everything_in_an_order_that_locks_nobody_out():
    assert [what.partition(",")[0].partition(":")[0] for what in steps(of="fresh")] == [
        "Logs of containers are rotated",
        "Docker's engine and Compose are installed",
        "The engine runs",
        "The user deploy may use Docker (as good as root there)",
        "Security updates install themselves",
        "The firewall lets 2222",
        "The firewall is on",
    ]


def test_a_prepared_host_gets_nothing():
    done = preparation(READY, (80, 443))
    assert done.steps == ()
    assert done.present == (
        "/etc/docker/daemon.json says how logs are kept",
        "Docker 26.1.5+dfsg1, Compose 2.26.1-4",
        "the user deploy may use Docker",
        "security updates install themselves",
        "the firewall is on",
    )


@pytest.mark.parametrize(
    "rules", ["", "ufw allow 22/tcp\nufw allow OpenSSH", "ufw deny 2222/tcp", "ufw allow 22222/tcp"]
)
def test_the_firewall_is_switched_on_only_after_the_port_of_ssh_is_seen_to_be_open(rules):
    found = preparation({**READY, "ufw": "Status: inactive", "rules": rules}, (80, 443)).steps
    rule, switch = found[-2:]
    assert "ufw allow 2222/tcp\n" in rule.commands
    confirm, enable = switch.commands.splitlines()
    assert (enable, switch.undo) == ("ufw --force enable", "ufw --force disable")
    for added, code in (("ufw allow 2222/tcp", 0), ("ufw allow 22/tcp", 1), ("", 1), ("ufw deny 2222/tcp", 1)):
        script = f"ufw() {{ echo 'Added user rules'; echo '{added}'; }}\n{confirm}"
        assert subprocess.run(["sh", "-ec", script], capture_output=True, check=False).returncode == code


@pytest.mark.parametrize(
    "rule", ["ufw limit 22/tcp", "ufw allow OpenSSH", "ufw allow 22", "ufw allow in 22/tcp comment 'x'"]
)
def test_a_rule_for_ssh_that_is_there_is_left_as_it_is(rule):
    found = steps(ufw="Status: inactive", rules=f"{rule}\nufw allow 80\nufw allow 443", ssh="1.2.3.4 5 6.7.8.9 22")
    assert [what for what, commands in found.items() if "ufw allow" in commands] == []
    assert list(found) == ["The firewall is on, now and after a reboot"]


def test_of_a_firewall_that_is_on_only_the_edge_is_opened():
    found = steps(80, 8443, rules="ufw allow from 203.0.113.0/24 to any port 2222\nufw allow 80/tcp")
    assert list(found.values()) == ["ufw allow 8443/tcp\n"]


@pytest.mark.parametrize(("changes", "why"), [({"firewalld": "99"}, "firewalld runs"), ({"ssh": ""}, "port of ssh")])
def test_a_firewall_that_could_lock_somebody_out_is_left_alone(changes, why):
    done = preparation({**FRESH, **changes}, (80, 443))
    assert not any("ufw" in step.commands for step in done.steps)
    assert [why in note.partition("see to it")[0] for note in done.notes] == [True]


def test_settings_of_the_engine_are_kept():
    [(_, commands), *_] = steps(daemon='{"data-root": "/big"}', answers="").items()
    assert commands.startswith("cp -p /etc/docker/daemon.json /etc/docker/daemon.json.before-nself\n")
    text = commands.partition("<<'EOF'\n")[2].removesuffix("EOF\n")
    assert json.loads(text) == {"data-root": "/big", **LOG_ROTATION}


@pytest.mark.parametrize("daemon", ['{"log-driver": "journald"}', '{"log-opts": {"max-size": "1g"}}'])
def test_how_logs_are_kept_is_the_hosts_own_affair_once_it_is_said(daemon):
    assert steps(daemon=daemon) == {}


def test_an_engine_is_restarted_only_where_no_container_runs():
    assert "systemctl restart docker\n" in steps(daemon="").values()
    busy = preparation({**READY, "daemon": "", "running": "0123456789ab"}, (80, 443))
    assert [len(busy.steps), busy.notes[0]] == [
        1, "the rotation holds for containers that are made after the next restart of the engine",
    ]  # fmt: skip


def test_a_daemon_json_that_is_none_is_told():
    with pytest.raises(DriverError, match="is not JSON"):
        preparation({**READY, "daemon": "{oops"}, (80, 443))


def test_debian_12_takes_docker_from_the_next_release_and_nothing_else():
    found = steps(
        of="fresh",
        os='VERSION_CODENAME=bookworm\nID=debian\nPRETTY_NAME="Debian GNU/Linux 12"',
        targets="http://mirror.example/debian/|bookworm|main|/usr/share/keyrings/debian.gpg",
    )
    assert "Pin-Priority: 100" in found["Docker may come from trixie, and nothing else does"]
    assert "docker.io/trixie" in found["Docker's engine and Compose are installed"]


def test_ubuntu_has_other_names():
    found = steps(of="fresh", os='ID=ubuntu\nVERSION_CODENAME=noble\nPRETTY_NAME="Ubuntu 24.04"')
    assert "docker.io iptables docker-compose-v2" in found["Docker's engine and Compose are installed"]


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({**READY, "os": 'ID=fedora\nPRETTY_NAME="Fedora 42"'}, "Debian and Ubuntu only; this is Fedora 42"),
        (surveyed("= no root\n"), "needs root there"),
        (surveyed("= user\ndeploy\n"), "needs root there"),
    ],
    ids=["fedora", "no root", "cut off"],
)
def test_a_host_that_we_cannot_prepare_is_refused(seen, why):
    with pytest.raises(DriverError, match=why):
        preparation(seen, (80, 443))


def test_a_script_reaches_root_whole_and_nothing_eats_it():
    script = "cat >/dev/null; echo \"it's $((1 + 1)) in `pwd`\"\ncat <<'EOF'\n$HOME (a\nEOF"
    done = subprocess.run(["sh", "-s"], input=as_root(script), capture_output=True, text=True, check=False, cwd="/tmp")
    assert done.stdout == "it's 2 in /tmp\n$HOME (a\n"
