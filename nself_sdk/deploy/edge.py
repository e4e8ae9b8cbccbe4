"""The edge during a rollout: which containers it sends requests to, and its texts that are reloaded in place.

Everything is one script inside the edge's container, fed through standard input: if this process dies half-way, the
script still ends, and what it tests is tested before it counts.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from nself_sdk.compose import ComposeFile
from nself_sdk.docker import Container, Driver, ExecResult
from nself_sdk.errors import DriverError
from nself_sdk.offers import EDGE, RELOAD

#: Seconds between two looks at the edge's connections, and how many one exec goes on looking: so much later is Ctrl-C
#: heard.
_POLL, _PATIENCE = 0.25, 5.0

# A call of a method that there is not: gRPC answers that with the status 200 of HTTP, as any other
# (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
_ASK_GRPC = ("--http2-prior-knowledge", "-X", "POST", "-H", "Content-Type: application/grpc", "-H", "TE: trailers")

# A reload is done when the workers from before accept no connection any more: nginx renames their processes then
# (https://github.com/nginx/nginx/blob/3f6f7824d/src/os/unix/ngx_process_cycle.c). What a master cannot apply, it only
# logs; the workers from before would go on for ever.
_RELOADING = """\
set -eu
is_worker() { [ "$(tr -d '\\0' 2>/dev/null <"/proc/$1/cmdline")" = "nginx: worker process" ]; }
workers() { for id in $*; do if is_worker "$id" 2>/dev/null; then echo "$id"; fi; done; }
reload() {
  old=$(workers $(cd /proc && echo [0-9]*))
  nginx -s reload
  for _ in $(seq 200); do
    old=$(workers $old)
    if [ -z "$old" ]; then return 0; fi
    sleep 0.05
  done
  echo "nginx still works as before after ten seconds" >&2
  return 1
}
"""

_WRITE = """\
mkdir -p {folder}; cd {folder}
while read -r name text; do printf '%s' "$text" | base64 -d > "$name"; done
nginx -t -q || {{ rm -f {names}; exit 1; }}
reload
"""

_FORGET = """\
cd {folder} 2>/dev/null || exit 0
set -- *.map *.conf
rm -f "$@"
if [ "$*" != "*.map *.conf" ]; then nginx -t -q; reload; fi
"""

_RELOAD = """\
set -eu
while read -r path text; do
  printf '%s' "$text" | base64 -d > "$path.next"
  paths="${{paths:-}} $path"
done
{test} || {{ for path in $paths; do rm -f "$path.next"; done; exit 1; }}
for path in $paths; do cat "$path.next" > "$path"; rm -f "$path.next"; done
{command}
"""

# The columns are: the number, the local address, the remote one and the state; 01 is an established connection
# (https://docs.kernel.org/networking/proc_net_tcp.html).
_CONNECTIONS = """\
for _ in $(seq {looks}); do
  left=$(grep -cE ' ({peers}):[0-9A-F]{{4}} 01 ' /proc/net/tcp)
  if [ "$left" = 0 ]; then break; fi
  sleep {pause}
done
echo "$left"
"""


@dataclass(frozen=True)
class Edge:
    """The edge's running container, and the ports at which it reaches each service."""

    driver: Driver
    container: Container
    folder: str
    targets: Mapping[str, Sequence[int]]
    grpc: Collection[str] = ()

    @classmethod
    def of(cls, driver: Driver, file: ComposeFile, containers: Sequence[Container]) -> Edge | None:
        """The edge of that file, if it declares one and it runs well."""
        for name, service in file.services.items():
            facts = service.extensions.get(EDGE)
            running = [c for c in containers if c.service == name and c.running and c.health != "unhealthy"]
            if isinstance(facts, dict) and running:
                grpc = facts.get("grpc", ())
                return cls(driver, running[0], str(facts["folder"]), facts["targets"], grpc)  # type: ignore[arg-type]
        return None

    def pin(self, chosen: Mapping[str, Sequence[Container]]) -> None:
        """Send each service's requests to exactly these containers, from now on."""
        files: dict[str, str] = {}
        for service, containers in chosen.items():
            for port in self.targets.get(service, ()) if containers else ():
                name = _target(service, port)
                servers = " ".join(f"server {address}:{port};" for one in containers for address in _addresses(one))
                files[f"{name}.conf"] = f"upstream pinned_{name} {{ {servers} }}\n"
                files[f"{name}.map"] = f"~. pinned_{name};\n"
        if files:
            script = _WRITE.format(folder=self.folder, names=" ".join(files))
            what = f"point nginx at the containers of {', '.join(chosen)}"
            self._run(_RELOADING + script, _encoded(files), what)

    def unpin_all(self) -> None:
        """Find every service by its name: also those that a deploy left pinned when it was killed."""
        self._run(_RELOADING + _FORGET.format(folder=self.folder), "", "point nginx at the services by name")

    def answers(self, service: str, container: Container) -> bool:
        """Whether the container answers http or gRPC, any status, on each port of the service, asked from the edge."""
        urls = [f"http://{a}:{port}/" for port in self.targets.get(service, ()) for a in _addresses(container)]
        ask = ["curl", "-s", "-o", "/dev/null", "--max-time", "5", *(_ASK_GRPC if service in self.grpc else ())]
        asked = [[*ask, url] for url in urls]
        return all(self.driver.exec(self.container.id, command).exit_code == 0 for command in asked)

    def drain(self, containers: Sequence[Container], seconds: float) -> int:
        """Wait until the edge has no connection to these containers, or the time is over; how many are left."""
        deadline = time.monotonic() + seconds
        peers = "|".join(sorted(_peer(address) for container in containers for address in _addresses(container)))
        while left := self._connections(peers, deadline - time.monotonic()):
            if time.monotonic() > deadline:
                break
        return left

    def _connections(self, peers: str, seconds: float) -> int:
        """How many there are to these addresses, after waiting at most so long that there are none.

        It is waited inside: each exec takes the host some of the time in which it has to answer.
        """
        looks = int(max(0, min(seconds, _PATIENCE)) / _POLL) + 1
        script = _CONNECTIONS.format(looks=looks, peers=peers, pause=_POLL)
        return int(self.driver.exec(self.container.id, ["sh", "-c", script]).stdout or 0)

    def _run(self, script: str, stdin: str, what: str) -> None:
        run_script(self.driver, self.container, script, stdin, what)


def reload(driver: Driver, file: ComposeFile, container: Container, texts: Mapping[str, str]) -> None:
    """Give a running service new texts, test them there, and make it reload. What fails the test is not kept.

    Raises:
        DriverError: the test or the reload failed; the service runs on with what it had.
    """
    facts = file.services[container.service].extensions[RELOAD]
    if not isinstance(facts, dict):
        raise DriverError(f"{container.service} does not say how it reloads", f"see {RELOAD}")
    script = _RELOAD.format(test=facts["test"], command=facts["command"])
    # The files are root's, and a container that dropped its capabilities cannot write even its own.
    command = ["sh", "-c", script]
    result = driver.exec(container.id, command, stdin=_encoded(texts), user="0", privileged=True)
    _ended_well(result, f"reload {container.service}")


def present_texts(driver: Driver, container: Container, paths: Sequence[str]) -> dict[str, str]:
    """The SHA-256 of each of these files in the container; one that is missing is left out."""
    result = driver.exec(container.id, ["sha256sum", *paths])
    rows = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    return {path: digest for digest, path in rows}


def run_script(driver: Driver, container: Container, script: str, stdin: str, what: str) -> None:
    """Run a script in a container's shell.

    Raises:
        DriverError: it did not end well.
    """
    _ended_well(driver.exec(container.id, ["sh", "-c", script], stdin=stdin or "\n"), what)


def _ended_well(result: ExecResult, what: str) -> None:
    if result.exit_code != 0:
        raise DriverError(f"could not {what}: {(result.stderr or result.stdout).strip()}", "nothing was changed by it")


def _encoded(files: Mapping[str, str]) -> str:
    return "".join(f"{name} {base64.b64encode(text.encode()).decode()}\n" for name, text in files.items())


def _target(service: str, port: int) -> str:
    return f"target_{service}_{port}".replace("-", "_").replace(".", "_")


def _addresses(container: Container) -> list[str]:
    return sorted(container.addresses.values())


def _peer(address: str) -> str:
    """An IPv4 address as /proc/net/tcp writes it: four bytes in hexadecimal, the last one first."""
    return ip_address(address).packed[::-1].hex().upper()
