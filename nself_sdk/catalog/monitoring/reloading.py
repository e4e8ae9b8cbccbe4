"""How the programs of the Prometheus project take new texts while they run. It knows none of their texts.

Sources: https://prometheus.io/docs/prometheus/latest/configuration/configuration/ (SIGHUP; a configuration that is not
well-formed is not applied), https://prometheus.io/docs/alerting/latest/configuration/ (the same),
https://github.com/prometheus/prometheus/blob/main/cmd/prometheus/main.go and
https://github.com/prometheus/alertmanager/blob/main/config/coordinator.go (``_config_last_reload_successful``).
"""

from __future__ import annotations

from pydantic import JsonValue

from nself_sdk.offers import RELOAD


def on_hangup(program: str, port: int, test: str) -> dict[str, JsonValue]:
    """What a deploy must know to reload the program: it is told by a signal, and says in its metrics how that went.

    Args:
        program: as its metrics begin.
        port: where it shows them.
        test: a shell command on the new files; see `nself_sdk.offers.RELOAD`.
    """
    said = f"wget -qO- http://127.0.0.1:{port}/metrics | grep -qx '{program}_config_last_reload_successful 1'"
    return {RELOAD: {"test": test, "command": f"kill -HUP 1; sleep 1; {said}"}}
