"""Looks at an engine without a docker client: the same documents, at a hundredth of the price. It changes nothing.

A docker client costs a process and a tenth of a second for each question, and a deploy asks dozens. Where an answer is
not as expected, None says: ask the client, which also explains what is wrong.

Source: https://docs.docker.com/reference/api/engine/ (a path without a version is the engine's own).
"""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from nself_sdk.docker import sockets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PATIENCE = 30.0  # seconds; the client waits longer
_DOCUMENTS = {
    "container": "/containers/{}/json",
    "image": "/images/{}/json",
    "network": "/networks/{}",
    "volume": "/volumes/{}",
}


def documents(address: str, kind: str, names: Iterable[str]) -> list[dict[str, Any]] | None:
    """What ``docker KIND inspect`` shows of those that exist."""
    return _read(address, [_DOCUMENTS[kind].format(quote(name, safe="/:@")) for name in names])


def containers(address: str, filters: Sequence[str]) -> list[str] | None:
    """The ids of the containers that ``docker ps --all --filter`` lists."""
    pairs = [one.partition("=") for one in filters]
    asked = {key: [value for name, _, value in pairs if name == key] for key, _, _ in pairs}
    listed = _read(address, ["/containers/json?" + urlencode({"all": 1, "filters": json.dumps(asked)})])
    return None if not listed else [one["Id"] for page in listed for one in page]


def images(address: str, label: str) -> list[str] | None:
    """The ids of the images that carry a label; of all, if none is named."""
    asked = json.dumps({"label": [label]} if label else {})
    listed = _read(address, ["/images/json?" + urlencode({"filters": asked})])
    return None if not listed else [one["Id"] for page in listed for one in page]


def _read(address: str, resources: Iterable[str]) -> list[Any] | None:
    try:
        return sockets.read(address.removeprefix("unix://"), resources, _PATIENCE)
    except (OSError, ValueError, HTTPException):
        return None
