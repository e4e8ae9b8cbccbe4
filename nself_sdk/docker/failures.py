"""What Docker wrote when it failed, told so that somebody can act on it; pure, knows only texts.

The texts are of engine 20.10 to 28 and Compose 2.26 to 5; tests hold real ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nself_sdk.errors import DriverError, HostUnreachableError

_QUOTED_LINES = 12
_NOISE = re.compile(
    r'time="[^"]*" level=(warning|info|debug)'
    r"| (Container|Network|Volume|Image) \S+ +(Creat|Start|Recreat|Stop|Remov|Wait|Runn|Health|Built|Pull)"
    r"| Pushing \S+: "
    r"|#\d+ (DONE|CACHED|transferring|building|\[.*internal\]|\[.*\] (FROM|COPY))|#\d+ *$|-+$|\s*$"
)


@dataclass(frozen=True, slots=True)
class _Case:
    """A failure that is known: how it is recognised, said, and mended. Templates take the pattern's groups."""

    pattern: str
    message: str
    hint: str
    error: type[DriverError] = DriverError
    flags: int = re.MULTILINE


_LOGIN = "check the name and the tag; if the registry wants it, run docker login first"
_CASES = (
    _Case(
        r"permission denied while trying to connect to the (docker API|Docker daemon socket)",
        "this user may not use the Docker engine",
        "add the user to the docker group (sudo usermod -aG docker USER) and log in again",
        HostUnreachableError,
    ),
    _Case(
        r"Cannot connect to the Docker daemon|error during connect|failed to connect to the docker API",
        "the Docker engine does not answer",
        "start the engine; nself-sdk doctor --fix does that on this machine",
        HostUnreachableError,
    ),
    _Case(
        r"unknown command: docker compose|'compose' is not a docker command|unknown shorthand flag: 'f' in -f"
        r"|unknown flag: --(file|project-name|env-file)",
        "the Compose plugin of Docker is not installed on this machine",
        "run nself-sdk doctor --fix",
    ),
    _Case(
        r"(?:Bind for|failed to bind host port for|listen (?:tcp|udp)[46]?:?) (?P<port>[\d.\[\]a-f:]*?:\d+)\b"
        r".*(?:already allocated|address already in use)",
        "the port {port} is already in use on the host",
        "stop what uses it, or publish another port; docker ps and ss -ltnp show who",
    ),
    _Case(r"no space left on device", "the host's disk is full", "docker system df shows what fills it"),
    _Case(
        r"pull access denied for (?P<image>[^\s,]+)",
        "the image {image} may not be pulled, or does not exist",
        _LOGIN,
    ),
    _Case(
        r"unauthorized: |no basic auth credentials|(?:^|: )denied: ",
        "the registry does not let you in",
        "log in to it on this machine, as a user who may read and write there: docker login REGISTRY",
    ),
    _Case(
        r"manifest for (?P<image>\S+) not found|failed to resolve reference \"(?P<other>[^\"]+)\".*not found"
        r"|No such image: (?P<local>\S+)",
        "there is no image {image}",
        _LOGIN,
    ),
    _Case(r"toomanyrequests", "the registry's pull limit is reached", "run docker login, or wait an hour"),
    _Case(
        r"no matching manifest for (?P<platform>\S+)",
        "the image does not exist for {platform}, the host's kind of machine",
        "choose a version that does, or build it",
    ),
    _Case(
        r"(?:Get|Head) \"?https://(?P<registry>[^/\"]+)/\S* .*(?P<why>no such host|i/o timeout|connection refused|"
        r"network is unreachable|Client\.Timeout exceeded|certificate\b.*|EOF)",
        "the registry {registry} does not answer: {why}",
        "check the host's network and proxy; images can also be carried over without a registry",
    ),
    _Case(
        r"^ > \[(?P<step>[^\]]+)\] (?P<line>.*):$",
        "the build failed at [{step}] {line}",
        "the lines above are the step's own output; fix the Dockerfile or the code that it builds",
    ),
    _Case(
        r"unable to prepare context: (?P<why>.*)|failed to read dockerfile: (?P<other>.*)",
        "the build cannot begin: {why}",
        "check the service's build context and its Dockerfile",
    ),
    _Case(
        r"container (?P<name>\S+) is unhealthy",
        "the container {name} is unhealthy, and others depend on it",
        "its health check's output and its logs say why",
    ),
    _Case(
        r'service "(?P<name>[^"]+)" didn\'t complete successfully: (?P<why>.*)',
        "the one-off service {name} failed ({why}), and others depend on it",
        "its logs say why",
    ),
    _Case(
        r"The container name \"/(?P<name>[^\"]+)\" is already in use",
        "there is already a container named {name}",
        "remove or rename it, or the container_name in the file",
    ),
    _Case(
        r"all predefined address pools have been fully subnetted|non-overlapping IPv4 address pool",
        "the engine has no free network addresses left",
        "remove unused networks: docker network prune",
    ),
    _Case(
        r"environment variable \"(?P<name>[^\"]+)\" required by",
        "the secret {name} has no value",
        "give it in the environment's secrets",
    ),
    _Case(
        r"^(?:validating [^:]*|yaml|parsing [^:]*): (?P<why>.*)",
        "Compose refuses the file: {why}",
        "docker compose config -q shows it too",
    ),
)


def failure(what: str, text: str) -> DriverError:
    """The error for a command that failed: `what` it was, `text` what it wrote (with nothing secret in it)."""
    quoted = "".join(f"\n  | {line}" for line in _last_lines(text))
    for case in _CASES:
        if found := re.search(case.pattern, text, case.flags):
            return case.error(f"{what}: {_fill(case.message, found)}{quoted}", case.hint)
    return DriverError(f"{what} failed{quoted}", "run the same command again to continue")


def _fill(template: str, found: re.Match[str]) -> str:
    """`template` with its one or two fields; an alternative group stands in for the first."""
    groups = {name: text for name, text in found.groupdict().items() if text}
    names = re.findall(r"\{(\w+)\}", template)
    spare = iter(text for name, text in groups.items() if name not in names)
    return template.format(**{name: groups.get(name) or next(spare, "?") for name in names})


def _last_lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.splitlines() if not _NOISE.match(line)]
    return list(dict.fromkeys(lines))[-_QUOTED_LINES:]
