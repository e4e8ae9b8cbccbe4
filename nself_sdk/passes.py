"""The passes that every rendered file goes through.

Each fills what is absent or removes what the environment forbids; none overrides what the user wrote.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping

from nself_sdk.compose import ComposeFile, Logging, Service, ServiceConfig
from nself_sdk.environment import Environment
from nself_sdk.offers import RELOAD

Pass = Callable[[ComposeFile, Environment], ComposeFile]

# ${NAME}, ${NAME:-default} and $NAME; an escaped $$ is none of them.
_INTERPOLATION = re.compile(r"\$\$|\$(?:\{(?P<braced>\w+)|(?P<plain>\w+))")

#: The label under which a container carries the keyed fingerprint of a secret it uses. A changed
#: ``environment:`` secret does not make Compose replace a container; a changed label does.
FINGERPRINT_LABEL = "dev.nself.secret."


def fingerprint_variable(secret: str) -> str:
    """The variable that carries a secret's fingerprint into the rendered file when it is applied."""
    return f"{secret}_FINGERPRINT"


_LOGGING = {
    "max-size": "10m",
    "max-file": "3",
    # Promtail reads the files alone, and knows by these whose each is.
    "labels": "com.docker.compose.project,com.docker.compose.service",
}


def restarts(file: ComposeFile, environment: Environment) -> ComposeFile:
    """Services restart as the environment says; jobs say ``restart: "no"`` themselves."""
    return _filling(file, restart=environment.restart)


def logging(file: ComposeFile, _: Environment) -> ComposeFile:
    """No container's log fills the disk: three files of 10 MiB each. Each line says whose it is."""
    return _filling(file, logging=Logging(driver="json-file", options=_LOGGING))


def privileges(file: ComposeFile, _: Environment) -> ComposeFile:
    """No process in a container gains privileges that its parent lacks."""
    return _filling(file, security_opt=["no-new-privileges:true"])


def health_cadence(file: ComposeFile, _: Environment) -> ComposeFile:
    """A health check asks twice a second while the service starts, and every ten seconds afterwards."""

    def paced(_: str, service: Service) -> Service:
        check = service.healthcheck
        if check is None or check.disable:
            return service
        absent = {key: value for key, value in _CADENCE.items() if key not in check.model_fields_set}
        return service.replace(healthcheck=check.replace(**absent)) if absent else service

    return file.map_services(paced)


_CADENCE = {
    "interval": "10s",
    "timeout": "5s",
    "retries": 3,
    "start_period": "30s",
    "start_interval": "500ms",
}


def publishing(file: ComposeFile, environment: Environment) -> ComposeFile:
    """Only the services that the environment names publish ports, at its address unless they name another.

    Without an address Docker would open a port to the whole network, past the host's firewall.
    """

    def closed(name: str, service: Service) -> Service:
        if not service.ports:
            return service
        if not environment.publishes(name):
            return service.replace(ports=None)
        ports = service.port_mappings
        if not environment.bind or all(port.host_ip for port in ports):
            return service
        return service.replace(
            ports=[port if port.host_ip else port.replace(host_ip=environment.bind) for port in ports]
        )

    return file.map_services(closed)


def content_names(file: ComposeFile, _: Environment) -> ComposeFile:
    """A config's name carries a hash of its content.

    Compose does not look at the content when it decides what to replace: with the hash in the name, exactly
    the services whose text changed are replaced. Texts that a service reloads in place keep their name.
    """
    reloaded = {
        reference.source
        for service in file.services.values()
        if RELOAD in service.extensions
        for reference in service.config_references
    }
    renamed = {
        name: f"{name}-{hashlib.sha256(config.content.encode()).hexdigest()[:10]}"
        for name, config in file.configs.items()
        if config.content and name not in reloaded
    }

    def renaming(_: str, service: Service) -> Service:
        if not any(reference.source in renamed for reference in service.config_references):
            return service
        return service.replace(configs=[_renamed(reference, renamed) for reference in service.config_references])

    configs = {renamed.get(name, name): config for name, config in file.configs.items()}
    return file.replace(configs=configs).map_services(renaming) if configs else file


def _renamed(reference: ServiceConfig, names: Mapping[str, str]) -> ServiceConfig:
    """The same reference by the new name; its file stays where it was."""
    source = reference.source or ""
    return reference.replace(source=names.get(source, source), target=reference.target or f"/{source}")


def secret_fingerprints(file: ComposeFile, _: Environment) -> ComposeFile:
    """A service is replaced when a secret that it uses changed, unless it reloads its files in place."""

    def labelled(_: str, service: Service) -> Service:
        files = [] if RELOAD in service.extensions else service.secret_references
        used = {reference.source for reference in files if reference.source}
        names = sorted(used | _interpolated(service, file))
        if not names:
            return service
        labels = {FINGERPRINT_LABEL + name.lower(): f"${{{fingerprint_variable(name)}:-}}" for name in names}
        return service.replace(labels={**service.label_map, **labels})

    return file.map_services(labelled)


def _interpolated(service: Service, file: ComposeFile) -> set[str]:
    """The secrets that the service's variables take by interpolation."""
    values = "\n".join(value for value in service.environment_map.values() if value)
    used = {match["braced"] or match["plain"] for match in _INTERPOLATION.finditer(values)}
    return used & set(file.secrets)


def _filling(file: ComposeFile, **defaults: object) -> ComposeFile:
    def filled(_: str, service: Service) -> Service:
        absent = {key: value for key, value in defaults.items() if key not in service.model_fields_set}
        return service.replace(**absent) if absent else service

    return file.map_services(filled)


#: In this order: what removes comes before what derives.
PASSES: tuple[Pass, ...] = (
    restarts,
    logging,
    privileges,
    health_cadence,
    publishing,
    content_names,
    secret_fingerprints,
)
