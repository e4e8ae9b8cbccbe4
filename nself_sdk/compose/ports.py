"""Published ports in long syntax."""

from typing import TYPE_CHECKING, ClassVar, Literal

from nself_sdk.compose.element import Element
from nself_sdk.compose.values import Integer, Maybe

Protocol = Literal["tcp", "udp", "sctp"]
PortMode = Literal["ingress", "host"]


class Port(Element):
    """A port of the container, published on the host (Services, "ports", long syntax).

    ``Port(8080, target=80)`` publishes port 80 of the container as 8080 of the host.
    """

    positional: ClassVar[tuple[str, ...]] = ("published",)

    target: Maybe[Integer] = None
    """The port in the container."""
    published: Maybe[int | str] = None
    """The port of the host, or a range as text: ``8000-9000``."""
    host_ip: Maybe[str] = None
    """The address of the host to bind to; all of them if absent."""
    protocol: Maybe[Protocol | str] = None
    """``tcp`` if absent."""
    app_protocol: Maybe[str] = None
    """What is spoken over it, such as ``http``."""
    mode: Maybe[PortMode | str] = None
    """``host`` publishes on each node, ``ingress`` through the load balancer."""
    name: Maybe[str] = None
    """A name for people."""

    if TYPE_CHECKING:  # pydantic gives every field by name only; the host's port reads well without one

        def __init__(  # noqa: PLR0913 - one for each attribute
            self,
            published: int | str | None = None,
            *,
            target: Integer | None = None,
            host_ip: str | None = None,
            protocol: Protocol | str | None = None,
            app_protocol: str | None = None,
            mode: PortMode | str | None = None,
            name: str | None = None,
        ) -> None: ...
