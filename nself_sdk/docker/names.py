"""Host names asked of DNS, all at once and within a time; knows nothing of who has them."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def resolved(names: Iterable[str], seconds: float) -> dict[str, tuple[str, ...]]:
    """The addresses of each name: none if there is no such name. A name that nobody told of in time is absent."""
    found: dict[str, tuple[str, ...]] = {}

    def ask(name: str) -> None:
        try:
            answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno != socket.EAI_AGAIN:
                found[name] = ()
        except (OSError, UnicodeError):
            pass
        else:
            found[name] = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))

    # Daemons: a resolver that hangs must hold nobody up, not even at the end of the process.
    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in dict.fromkeys(names)]
    until = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return dict(found)
