"""One ssh connection, strict and alone, that ends with us; and why it failed when it did."""
# ruff: noqa: E501 - real texts stand as they were written

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nself_sdk.docker import Target, ssh_failures
from nself_sdk.docker.ssh import Forward, forward_command, shell_command, ssh_command
from nself_sdk.errors import DeclarationError, HostUnreachableError

pytestmark = pytest.mark.timeout(60)

TARGET = Target.parse("ssh://deploy@vps:2222")

# Stands in for ssh: listens where it is told to, and answers as an engine would.
FAKE_SSH = f"""#!{sys.executable}
import os, socket, sys
local = sys.argv[sys.argv.index("-L") + 1].partition(":")[0]
print("debug1: chatter", file=sys.stderr, flush=True)
server = socket.socket(socket.AF_UNIX); server.bind(local); server.listen()
while True:
    line = server.accept()[0]; line.recv(100); line.sendall(b"HTTP/1.1 200 OK"); line.close()
"""


def settings(command: tuple[str, ...]) -> dict[str, str]:
    return dict(pair.split("=", 1) for flag, pair in itertools.pairwise(command) if flag == "-o")


def test_the_command_is_one_forward_and_nothing_else():
    command = forward_command(TARGET, "/tmp/x/docker.sock", "/tmp/x/mux")
    assert command[:6] == ("ssh", "-v", "-N", "-T", "-L", "/tmp/x/docker.sock:/var/run/docker.sock")
    assert command[-6:] == ("-l", "deploy", "-p", "2222", "--", "vps")


def test_the_command_is_strict_whatever_the_configuration_says():
    assert (
        settings(forward_command(TARGET, "/s", "/m")).items()
        >= {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "ExitOnForwardFailure": "yes",
            "StreamLocalBindUnlink": "yes",
            "ServerAliveInterval": "5",
            "ControlMaster": "no",
            "ControlPath": "none",
            "ControlPersist": "no",
            "ForwardAgent": "no",
        }.items()
    )


def test_a_shell_goes_over_the_connection_that_is_open_or_not_at_all():
    target = Target.parse("ssh://vps", jump="gate")
    command = shell_command(target, "/m")
    proxies = [part for part in command if part.startswith("ProxyCommand=")]
    assert proxies[0] == "ProxyCommand=false"  # of an option that is given twice, ssh takes the first
    assert (command[command.index("-S") + 1], command[-1]) == ("/m", "sh -s")


def test_key_and_pins_are_the_only_ones_used():
    target = Target.parse("ssh://vps", identity_file="/my keys/100%", known_hosts="/pins")
    assert (
        settings(ssh_command(target)).items()
        >= {
            "IdentityFile": '"/my keys/100%%"',
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": '"/pins"',
            "GlobalKnownHostsFile": "/dev/null",
        }.items()
    )


def test_what_the_url_leaves_open_is_left_to_the_configuration():
    command = ssh_command(Target.parse("ssh://vps"))
    assert command[-2:] == ("--", "vps")
    assert not {"-l", "-p"} & set(command)
    assert not {"IdentityFile", "UserKnownHostsFile", "ProxyCommand"} & set(settings(command))


def test_a_jump_host_is_held_to_the_same_rules():
    target = Target.parse("ssh://db", identity_file="/my keys/k", known_hosts="/pins", jump="gate@gate:23")
    through = settings(ssh_command(target))["ProxyCommand"]
    assert through.startswith("ssh -v -W [%h]:%p ")
    assert through.endswith(" -l gate -p 23 -- gate")
    assert "StrictHostKeyChecking=yes" in through
    assert """'IdentityFile="/my keys/k"'""" in through


@pytest.fixture
def ambient(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(FAKE_SSH)
    (folder / "ssh").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(tmp_path)}


def alive(folder: Path) -> list[str]:
    """The processes whose command line names this folder."""
    listed = subprocess.run(["ps", "-ewwo", "stat=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line and not line.startswith("Z")]


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_a_forward_is_private_and_leaves_nothing_behind(ambient):
    with Forward(TARGET, ambient) as forward:
        forward.ready()
        folder = Path(forward.address.removeprefix("unix://")).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        assert forward.lost() is None
        assert alive(folder)
    assert not folder.exists()
    assert alive(folder) == []
    forward.close()  # again, harmlessly


def test_a_forward_ends_with_an_exception(ambient):
    folder = Path()
    with pytest.raises(RuntimeError), Forward(TARGET, ambient) as forward:  # noqa: PT012 - it raises where it is open
        forward.ready()
        folder = Path(forward.address.removeprefix("unix://")).parent
        raise RuntimeError
    assert not folder.exists()
    assert alive(folder) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_forward_ends_with_its_process_however_that_dies(ambient, number):
    script = (
        "import os, time\nfrom nself_sdk.docker import Target\nfrom nself_sdk.docker.ssh import Forward\n"
        "with Forward(Target.parse('ssh://vps'), os.environ) as line:\n"
        "    line.ready(); print(line.address, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], env=ambient, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        folder = Path(process.stdout.readline().strip().removeprefix("unix://")).parent
        assert alive(folder)
        process.send_signal(number)
    until(lambda: not folder.exists() and not alive(folder))


def test_ctrl_c_of_the_terminal_does_not_reach_ssh(ambient):
    with Forward(TARGET, ambient) as forward:
        forward.ready()
        folder = Path(forward.address.removeprefix("unix://")).parent
        listed = subprocess.run(["ps", "-ewwo", "pgid=,args="], capture_output=True, text=True, check=True).stdout
        groups = {line.split()[0] for line in listed.splitlines() if str(folder) in line}
        assert groups
        assert str(os.getpgrp()) not in groups


def test_an_ssh_that_ends_is_told_at_once(ambient, tmp_path):
    (tmp_path / "bin" / "ssh").write_text(
        "#!/bin/sh\necho 'ssh: connect to host vps port 2222: Connection refused' >&2; exit 255"
    )
    begin = time.monotonic()
    with Forward(TARGET, ambient) as forward, pytest.raises(HostUnreachableError) as caught:
        forward.ready()
    assert "ssh://deploy@vps:2222: the connection is refused" in caught.value.message
    assert time.monotonic() - begin < 5


def test_a_missing_ssh_is_told(tmp_path):
    with (
        pytest.raises(HostUnreachableError, match="ssh command is not installed"),
        Forward(TARGET, {"PATH": str(tmp_path)}),
    ):
        pass


# What OpenSSH 9.2 wrote to its log, towards OpenSSH 10.0.
LOGS = {
    "name": ("ssh: Could not resolve hostname vps: Name or service not known", "its name does not resolve"),
    "refused": ("ssh: connect to host 127.0.0.1 port 1: Connection refused", "the connection is refused"),
    "silent": (
        "Connection timed out during banner exchange\nConnection to 127.0.0.1 port 2222 timed out",
        "it does not answer",
    ),
    "limits": (
        "kex_exchange_identification: Connection closed by remote host\nConnection closed by 127.0.0.1 port 2222",
        "it closed the connection before the log-in",
    ),
    "denied": (
        "debug1: Offering public key: /k ED25519 SHA256:y/dE explicit\ndeploy@127.0.0.1: Permission denied (publickey).",
        "it does not accept the user or the key",
    ),
    "locked": (
        (
            "debug1: Server accepts key: /k ED25519 SHA256:y/dE explicit\ndebug1: No more authentication methods to try.\n"
            "deploy@127.0.0.1: Permission denied (publickey)."
        ),
        "locked with a passphrase",
    ),
    "behind a jump host": (
        (
            'debug1: Server accepts key: /k ED25519\nAuthenticated to gate ([10.0.0.1]:22) using "publickey".\n'
            "debug1: Offering public key: /k\ndeploy@db: Permission denied (publickey)."
        ),
        "it does not accept the user or the key",
    ),
    "unknown key": (
        (
            "debug1: Server host key: ssh-ed25519 SHA256:hgTUrJON\nNo ED25519 host key is known for [127.0.0.1]:2222 and you "
            "have requested strict checking.\nHost key verification failed."
        ),
        "the host key of [127.0.0.1]:2222 is not known; it showed ssh-ed25519 SHA256:hgTUrJON",
    ),
    "broken": (
        'Authenticated to vps ([10.0.0.1]:22) using "publickey".\nTimeout, server vps not responding.',
        "the connection broke",
    ),
    "configuration": (
        "/root/.ssh/config: line 3: Bad configuration option: hots",
        "ssh does not accept its configuration",
    ),
}


@pytest.mark.parametrize(("log", "told"), LOGS.values(), ids=LOGS)
def test_a_failed_connection_names_its_cause_and_a_way_out(log, told):
    error = ssh_failures.explain(TARGET, log)
    assert told in error.message
    assert error.hint
    assert "debug1" not in error.message


def test_an_unknown_key_says_how_to_pin_it():
    hint = ssh_failures.explain(TARGET, LOGS["unknown key"][0]).hint
    assert "ssh-keyscan -p 2222 vps >> ~/.ssh/known_hosts" in hint


def test_a_changed_key_is_a_hard_stop_with_both_fingerprints(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "k"], check=True)
    pins = tmp_path / "known_hosts"
    pins.write_text("[vps]:2222 " + (tmp_path / "k.pub").read_text())
    log = (
        "debug1: Server host key: ssh-ed25519 SHA256:new\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
        f"Offending ED25519 key in {pins}:1\nHost key verification failed."
    )
    error = ssh_failures.explain(TARGET, log)
    assert re.search(r"has changed; known is SHA256:\S{43}; it now shows ssh-ed25519 SHA256:new", error.message)
    assert f"line 1 of {pins}" in error.hint


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ("socket\nwritable\nclient\nanswers\nuser=deploy", "does not allow the forwarding of sockets"),
        ("socket\nwritable\nclient\nuser=deploy", "no engine answers at /var/run/docker.sock"),
        ("socket\nclient\nuser=deploy", "the user deploy may not use the Docker engine"),
        ("client\nuser=deploy", "Docker is installed there, but no engine runs"),
        ("user=deploy", "there is no Docker"),
        ("", "the socket /var/run/docker.sock cannot be opened"),
    ],
)
def test_a_socket_that_does_not_open_is_explained(seen, told):
    log = "channel 1: open failed: connect failed: open failed"
    assert told in ssh_failures.refused(TARGET, log, seen).message


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (None, 0, "no such file"),
        ("ssh-ed25519 AAAA me", 0o600, "is a public key"),
        ("hello", 0o600, "is not a private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\r\nx\r\n", 0o600, "Windows line ends"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", 0o644, "others may read it"),
    ],
)
def test_a_key_file_that_cannot_serve_is_told_before_anything_is_opened(tmp_path, content, mode, told):
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    with pytest.raises(DeclarationError, match=told):
        ssh_failures.check_identity(Target.parse("ssh://vps", identity_file=file))
