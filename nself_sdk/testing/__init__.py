"""testing: a stack for integration suites, requests to its edge, and a double of Docker; looked up on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nself_sdk.testing.edge import Edge, Response
    from nself_sdk.testing.recording import RecordingDriver
    from nself_sdk.testing.stack import NselfStack

_PLACES = {
    "Edge": "edge",
    "NselfStack": "stack",
    "RecordingDriver": "recording",
    "Response": "edge",
}

__all__ = ["Edge", "NselfStack", "RecordingDriver", "Response"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
