"""Passes for stacks under test: labels on all that Docker makes, and ports for the test to reach. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from nself_sdk.compose import ComposeFile, Network, Port, Service, Volume
from nself_sdk.compose.views import label_map
from nself_sdk.environment import Environment
from nself_sdk.passes import Pass


def labelled(labels: Mapping[str, str]) -> Pass:
    """Puts the labels on every container, network and volume of the file; not on what exists outside it."""

    def marked_network(network: Network | None) -> Network:
        network = network or Network()
        return network if network.external else network.replace(labels={**label_map(network.labels), **labels})

    def marked_volume(volume: Volume | None) -> Volume:
        volume = volume or Volume()
        return volume if volume.external else volume.replace(labels={**label_map(volume.labels), **labels})

    def marking(file: ComposeFile, _: Environment) -> ComposeFile:
        networks = {"default": None, **file.networks}
        return file.map_services(lambda _, s: s.replace(labels={**s.label_map, **labels})).replace(
            networks={name: marked_network(network) for name, network in networks.items()},
            volumes={name: marked_volume(volume) for name, volume in file.volumes.items()},
        )

    return marking if labels else lambda file, _: file


def published(ports: Mapping[str, int]) -> Pass:
    """Publishes one port of each named service on 127.0.0.1, as whatever port is free when it starts."""

    def opened(name: str, service: Service) -> Service:
        if name not in ports:
            return service
        return service.replace(ports=[*(service.ports or ()), Port(target=ports[name], host_ip="127.0.0.1")])

    return lambda file, _: file.map_services(opened)
