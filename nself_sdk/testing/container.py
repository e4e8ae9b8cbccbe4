"""StackContainer: one container of a stack, as testcontainers' wait strategies see it. It starts and stops nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from nself_sdk.docker import Container, Driver, PublishedPort
from nself_sdk.errors import DriverError

_EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True)
class Executed:
    """How a command ended, in the words of testcontainers."""

    exit_code: int
    output: bytes


class StackContainer:
    """testcontainers' ``WaitStrategyTarget``: ``strategy.wait_until_ready(stack.container("postgres"))``.

    Where the service publishes ports, the addresses are those on this host; where it publishes none, they are its
    own inside the stack's network, which on Linux can be reached from the host too. (``ContainerStatusWaitStrategy``
    takes testcontainers' own classes alone; `status` says the same.)
    """

    def __init__(self, driver: Driver, project: str, service: str) -> None:
        self._driver = driver
        self._project = project
        self._service = service
        self._container = self._found()

    def _found(self) -> Container:
        for container in self._driver.containers(self._project):
            if container.service == self._service and not container.one_off:
                return container
        raise DriverError(f"{self._service} has no container in {self._project}", "is it a service of this stack?")

    def get_container_host_ip(self) -> str:
        """The address to connect to: of the published ports, or inside the stack's network."""
        if self._published:
            address = self._published[0].address
            return "127.0.0.1" if address in _EVERYWHERE else address
        if not self._container.addresses:
            raise DriverError(f"{self._service} has no address: it is {self.status}", "start it first")
        return next(iter(self._container.addresses.values()))

    def get_exposed_port(self, port: int) -> int:
        """The port to connect to at `get_container_host_ip` for that port of the container."""
        if not self._published:
            return int(port)
        for mapping in self._published:
            if mapping.target == int(port):
                return mapping.published
        there = ", ".join(str(mapping) for mapping in self._published)
        raise DriverError(
            f"{self._service} does not publish {port}, but {there}", "publish it, or ask for one of these"
        )

    def get_wrapped_container(self) -> Any:
        """docker-py's view of the container."""
        # docker-py has no types: it is looked up by name.
        client: Any = import_module("docker").DockerClient(base_url=self._socket())
        return client.containers.get(self._container.id)

    def get_logs(self) -> tuple[bytes, bytes]:
        """What it wrote: standard output, and standard error."""
        wrapped = self.get_wrapped_container()
        return wrapped.logs(stdout=True, stderr=False), wrapped.logs(stdout=False, stderr=True)

    def reload(self) -> None:
        """Look again."""
        self._container = self._found()

    @property
    def status(self) -> str:
        """Docker's word for its state."""
        return self._container.state

    @property
    def id(self) -> str:
        """Its id: 64 hexadecimal digits."""
        return self._container.id

    def exec(self, command: str | list[str]) -> Executed:
        """Run a command in it."""
        argv = ["sh", "-c", command] if isinstance(command, str) else command
        done = self._driver.exec(self._container.id, argv)
        return Executed(done.exit_code, (done.stdout + done.stderr).encode())

    @property
    def _published(self) -> tuple[PublishedPort, ...]:
        return self._container.ports

    def _socket(self) -> str:
        target = self._driver.target
        if target.host is not None:
            raise DriverError("docker-py is only used with the engine of this machine")
        named = os.environ.get("DOCKER_HOST", "")
        ambient = named if named.startswith("unix://") else "unix:///var/run/docker.sock"
        return f"unix://{target.socket}" if target.socket else ambient
