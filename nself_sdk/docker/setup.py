"""What a Debian or Ubuntu host still lacks to be deployed to, as shell commands; pure, and runs nothing.

``survey`` is a script that only reads; ``surveyed`` reads its answer; ``preparation`` decides.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from nself_sdk.docker.engine import (
    COMPOSE_MINIMUM,
    ENGINE_MINIMUM,
    INDEX_FORMAT,
    NO_MINIMUM,
    PIN_FILE,
    SOURCES_FILE,
    Distribution,
    newer_sources,
    packages,
    parsed_distribution,
    parsed_version,
    pin,
)
from nself_sdk.docker.machine import ENGINE_LOG
from nself_sdk.errors import DriverError

DAEMON_FILE: Final = Path("/etc/docker/daemon.json")
UPGRADES_FILE: Final = Path("/etc/apt/apt.conf.d/20auto-upgrades")
#: The values are strings there (https://docs.docker.com/engine/logging/drivers/json-file/).
LOG_ROTATION: Final = {"log-driver": "json-file", "log-opts": {"max-size": "10m", "max-file": "3"}}
#: What the package itself writes when it is told to run (https://wiki.debian.org/UnattendedUpgrades).
_UPGRADES = 'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n'
_INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300"

_SURVEY = f"""
exec 2>/dev/null
echo "= user"; echo "$LOGIN"; id -nG "$LOGIN"
echo "= ssh"; echo "$SSH_CONNECTION"
echo "= os"; cat /etc/os-release
echo "= systemd"; test -d /run/systemd/system && echo yes
echo "= client"; docker --version
echo "= engine"; dockerd --version
echo "= compose"; docker compose version --short
echo "= answers"; docker version --format '{{{{.Server.Version}}}}'
echo "= running"; docker ps -q
echo "= daemon"; cat {DAEMON_FILE}
echo "= targets"; apt-get indextargets --format '{INDEX_FORMAT}' 'Created-By: Packages' 'Origin: Debian'
echo "= periodic"; apt-config dump APT::Periodic
echo "= installed"; dpkg-query -W -f '${{Package}} ${{Status}}\\n' unattended-upgrades ufw
echo "= firewalld"; pgrep -x firewalld
echo "= ufw"; ufw status
echo "= rules"; ufw show added
echo "= end"
"""


@dataclass(frozen=True)
class Step:
    """One thing to do on the host, as root.

    Attributes:
        what: in words, as something that is true afterwards.
        commands: shell commands, one a line; here-documents are whole.
        undo: taken if no new ssh connection gets through afterwards; empty where that cannot happen.
    """

    what: str
    commands: str
    undo: str = ""


@dataclass(frozen=True)
class Note:
    """Something that somebody should know."""

    text: str


@dataclass(frozen=True)
class Preparation:
    """What is to be done on a host, what is there already, and what somebody should know."""

    distribution: str
    steps: tuple[Step, ...]
    present: tuple[str, ...]
    notes: tuple[str, ...]


def as_root(script: str) -> str:
    """A script that runs `script` as root, or says ``= no root``; it keeps what it must know of the log-in."""
    return f"""
if [ "$(id -u)" = 0 ]; then become=
elif sudo -n true 2>/dev/null; then become="sudo -n"
else echo "= no root"; exit 1; fi
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
script=$(cat <<'NSELF-SCRIPT'
{script}
NSELF-SCRIPT
)
$become env PATH="$PATH" LC_ALL=C.UTF-8 LOGIN="$(id -un)" SSH_CONNECTION="$SSH_CONNECTION" sh -c "$script" </dev/null
"""


SURVEY: Final = as_root(_SURVEY)


def surveyed(text: str) -> dict[str, str]:
    """What the survey saw, by section."""
    parts = (part.partition("\n") for part in re.split(r"^= ", text, flags=re.MULTILINE)[1:])
    return {name: body.strip() for name, _, body in parts}


def preparation(seen: dict[str, str], ports: Sequence[int]) -> Preparation:
    """What is to be done on the host that was surveyed, so that these ports are open and it can be deployed to.

    Raises:
        DriverError: it cannot be prepared by us; the message says why.
    """
    if "no root" in seen or "end" not in seen:
        fix = "log in as root, or let the user run sudo without a password: /etc/sudoers.d, NOPASSWD"
        raise DriverError("preparing a host needs root there", fix)
    distribution = parsed_distribution(seen["os"])
    missing = tuple(_missing(seen))
    packages(distribution, missing)  # refuses a distribution that we do not know
    parts = (
        *_rotation(seen),
        *_docker(seen, distribution, missing),
        *_membership(seen),
        *_upgrades(seen),
        *_firewall(seen, ports),
    )
    return Preparation(
        distribution.name,
        steps=tuple(part for part in parts if isinstance(part, Step)),
        present=tuple(part for part in parts if isinstance(part, str)),
        notes=tuple(part.text for part in parts if isinstance(part, Note)),
    )


def _missing(seen: dict[str, str]) -> Iterator[str]:
    for name, minimum in (("client", NO_MINIMUM), ("engine", ENGINE_MINIMUM), ("compose", COMPOSE_MINIMUM)):
        version = parsed_version(seen[name])
        if not version or version < minimum:
            yield f"docker {name}"


def _rotation(seen: dict[str, str]) -> Iterator[Step | Note | str]:
    """Before the engine is installed, so that it starts with it. What is set already is left as it is."""
    try:
        settings: Any = json.loads(seen["daemon"] or "{}")
    except ValueError as error:
        raise DriverError(
            f"{DAEMON_FILE} there is not JSON: {error}", "mend it first: the engine needs it too"
        ) from None
    if not isinstance(settings, dict) or set(LOG_ROTATION) & set(cast("dict[str, Any]", settings)):
        yield f"{DAEMON_FILE} says how logs are kept"
        return
    text = json.dumps({**cast("dict[str, Any]", settings), **LOG_ROTATION}, indent=2) + "\n"
    backup = f"cp -p {DAEMON_FILE} {DAEMON_FILE}.before-nself\n" if seen["daemon"] else ""
    yield Step("Logs of containers are rotated: three files of 10 MB each", backup + _written(DAEMON_FILE, text))
    if seen["answers"] and seen["systemd"] and not seen["running"]:
        yield Step("The engine knows it", "systemctl restart docker\n")
    elif seen["answers"]:
        yield Note("the rotation holds for containers that are made after the next restart of the engine")


def _docker(seen: dict[str, str], distribution: Distribution, missing: Sequence[str]) -> Iterator[Step | Note | str]:
    """Docker from the distribution's own packages, or from those of the next release where they are too old."""
    if not missing:
        yield f"Docker {seen['engine'].partition(',')[0].rpartition(' ')[2]}, Compose {seen['compose']}"
    else:
        update = "apt-get update -qq"
        if suite := distribution.newer_suite:
            sources = newer_sources(seen["targets"], distribution.codename, suite)
            if not sources:
                raise DriverError(f"apt there has no source for {distribution.codename}", "add one, and try again")
            files = _written(PIN_FILE, pin(suite)) + _written(SOURCES_FILE, "\n".join(sources) + "\n")
            yield Step(f"Docker may come from {suite}, and nothing else does", files)
        wanted = shlex.join(packages(distribution, missing))
        yield Step("Docker's engine and Compose are installed", f"{update}\n{_INSTALL} {wanted}\n")
    if missing or not seen["answers"]:
        yield _running(seen)


def _running(seen: dict[str, str]) -> Step:
    if seen["systemd"]:
        return Step("The engine runs, now and after a reboot", "systemctl enable --now docker\n")
    begin = f"setsid dockerd >>{ENGINE_LOG} 2>&1 </dev/null &\n"
    wait = "for _ in $(seq 60); do docker version >/dev/null 2>&1 && exit; sleep 1; done; exit 1\n"
    return Step(f"The engine runs, by hand, for there is no systemd; its log is {ENGINE_LOG}", begin + wait)


def _membership(seen: dict[str, str]) -> Iterator[Step | Note | str]:
    user, _, groups = seen["user"].partition("\n")
    if user == "root" or "docker" in groups.split():
        yield f"the user {user} may use Docker"
    else:
        yield Step(
            f"The user {user} may use Docker (as good as root there)", f"usermod -aG docker {shlex.quote(user)}\n"
        )


def _upgrades(seen: dict[str, str]) -> Iterator[Step | Note | str]:
    commands = "" if _installed(seen, "unattended-upgrades") else f"{_INSTALL} unattended-upgrades\n"
    if not re.search(r'Unattended-Upgrade "[1-9a-z]', seen["periodic"]):
        commands += _written(UPGRADES_FILE, _UPGRADES)
    if commands:
        yield Step("Security updates install themselves", commands)
    else:
        yield "security updates install themselves"


def _firewall(seen: dict[str, str], ports: Sequence[int]) -> Iterator[Step | Note | str]:
    """The port that we came in by is open before the firewall is on, and is seen to be."""
    port = seen["ssh"].split()[3:4]
    if seen["firewalld"] or not port:
        why = "firewalld runs there" if seen["firewalld"] else "the port of ssh is not known"
        yield Note(f"the firewall is left alone: {why}; see to it that {_numbers(ports)} are open")
        return
    active = "Status: active" in seen["ufw"]
    wanted = [number for number in ([] if active else [int(port[0])]) + [*ports] if not _allowed(seen, number)]
    commands = "" if _installed(seen, "ufw") else f"{_INSTALL} ufw\n"
    commands += "".join(f"ufw allow {number}/tcp\n" for number in dict.fromkeys(wanted))
    if commands:
        yield Step(f"The firewall lets {_numbers(dict.fromkeys([int(port[0]), *ports]))} in", commands)
    if active:
        yield "the firewall is on"
    else:
        # Only where the rule for ssh is seen in the list: grep fails otherwise, and nothing goes on.
        on = f"ufw show added | grep -E '{_pattern(int(port[0]))}'\nufw --force enable\n"
        yield Step("The firewall is on, now and after a reboot", on, undo="ufw --force disable")
    yield Note("ports that containers publish are open past ufw: publish only what the world may see")


def _allowed(seen: dict[str, str], port: int) -> bool:
    return re.search(_pattern(port), seen["rules"], re.MULTILINE) is not None


def _pattern(port: int) -> str:
    ssh = "|OpenSSH" if port == 22 else ""  # noqa: PLR2004 - ufw's own name for it
    return f"^ufw (allow|limit) (in )?({port}|{port}/tcp{ssh})( |$)"


def _installed(seen: dict[str, str], package: str) -> bool:
    return f"{package} install ok installed" in seen["installed"]


def _numbers(ports: Sequence[int] | dict[int, None]) -> str:
    return ", ".join(map(str, ports))


def _written(path: Path, text: str) -> str:
    """A here-document: what is shown is what is done."""
    return f"install -d {path.parent}\ncat >{path} <<'EOF'\n{text.rstrip()}\nEOF\n"
