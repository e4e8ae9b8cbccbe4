"""What a host says of itself that its engine does not: a script that only reads, and its answer as a value.

The script is POSIX shell and needs nothing but what every Linux host has; what it cannot see is left out.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from typing import TYPE_CHECKING

from nself_sdk.docker.values import Host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A row of /proc/net/tcp: 0A is the state of a socket that listens (Linux, include/net/tcp_states.h).
_LISTENS = "^ *[0-9]+: [0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:0000 0A "
_SSHD = "MaxSessions|MaxStartups|AllowStreamLocalForwarding|AllowTcpForwarding|DisableForwarding"
_SCRIPT = f"""
LC_ALL=C; export LC_ALL
exec 2>/dev/null
echo "= disk"; df -Pk "$root"
echo "= inodes"; df -Pi "$root"
echo "= tcp"; grep -hE '{_LISTENS}' /proc/net/tcp /proc/net/tcp6
echo "= routes"; cat /proc/net/route
echo "= addresses"; echo "$SSH_CONNECTION"; hostname -I
echo "= sshd"
{{ sshd -T || cat /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config; }} | grep -iE '^ *({_SSHD})[ =]'
echo "= end"
"""


def script(root: str) -> str:
    """The shell script that asks a host; `root` is where its engine keeps images and volumes."""
    return f"root={shlex.quote(root)}\n{_SCRIPT}"


def parsed(text: str, peer: str = "") -> Host:
    """What the script's output says; `peer` is the address that the host is reached at, where it is known."""
    found = dict(_sections(text))
    if "end" not in found:
        return Host(addresses=(peer,) if peer else ())
    disk = _number(found["disk"], 3)
    return Host(
        disk_free=None if disk is None else disk * 1024,
        inodes_free=_number(found["inodes"], 3) if _number(found["inodes"], 1) else None,
        listening=tuple(sorted(set(_sockets(found["tcp"])))) or None,
        routes=tuple(_routes(found["routes"])),
        addresses=tuple(dict.fromkeys([*([peer] if peer else []), *_addresses(found["addresses"])])),
        sshd=_options(found["sshd"]),
    )


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    for part in re.split(r"^= ", text, flags=re.MULTILINE)[1:]:
        name, *lines = part.splitlines()
        yield name, lines


def _number(table: list[str], column: int) -> int | None:
    """A number of the last row of what ``df -P`` printed: a line each, six columns."""
    cells = table[-1].split() if len(table) > 1 else []
    return int(cells[column]) if len(cells) > column and cells[column].isdigit() else None


def _sockets(rows: list[str]) -> Iterator[tuple[str, int]]:
    for row in rows:
        address, _, port = row.split()[1].partition(":")
        yield _address(address), int(port, 16)


def _address(text: str) -> str:
    """An address of /proc/net: 32-bit words in the host's byte order, little-endian wherever Docker is packaged."""
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    found = ipaddress.ip_address(b"".join(words))
    return str(getattr(found, "ipv4_mapped", None) or found)


def _routes(rows: list[str]) -> Iterator[str]:
    for row in rows[1:]:
        cells = row.split()
        if len(cells) > 7 and cells[7] != "00000000":  # noqa: PLR2004 - the column of the mask; 0: the default route
            yield str(ipaddress.ip_network(f"{_address(cells[1])}/{_address(cells[7])}"))


def _addresses(lines: list[str]) -> Iterator[str]:
    """The address that ssh came in by, the third of SSH_CONNECTION, and then all that the host has."""
    connection, *others = lines or [""]
    yield from dict.fromkeys([*connection.split()[2:3], *" ".join(others).split()])


def _options(lines: list[str]) -> Mapping[str, str]:
    """Of an option that is there twice, sshd takes the first (sshd_config(5))."""
    pairs = (re.split(r"[\s=]+", line.strip(), maxsplit=1) for line in reversed(lines))
    return {pair[0].lower(): pair[1].strip() for pair in pairs if len(pair) > 1}
