"""The dashboards of the stack, as Grafana reads them: rows of panels, each a title, a unit and what to ask."""

from __future__ import annotations

import json
from typing import Any

_WIDTH, _HEIGHT = 12, 8
_SOURCES = {"prometheus": "prometheus", "loki": "loki", "tempo": "tempo"}

Panel = dict[str, Any]


def _metric(title: str, unit: str, *queries: tuple[str, str], kind: str = "timeseries") -> Panel:
    targets = [
        {"refId": chr(ord("A") + number), "expr": expression, "legendFormat": legend}
        for number, (expression, legend) in enumerate(queries)
    ]
    return _panel(title, kind, "prometheus", targets, fieldConfig={"defaults": {"unit": unit}, "overrides": []})


def _logs(title: str, query: str) -> Panel:
    options = {"showTime": True, "wrapLogMessage": True, "sortOrder": "Descending", "enableLogDetails": True}
    return _panel(title, "logs", "loki", [{"refId": "A", "expr": query}], options=options)


def _traces(title: str, query: str) -> Panel:
    target = {"refId": "A", "queryType": "traceql", "query": query, "limit": 20, "tableType": "traces"}
    return _panel(title, "table", "tempo", [target])


def _panel(title: str, kind: str, source: str, targets: list[dict[str, Any]], **more: Any) -> Panel:
    datasource = {"type": _SOURCES[source], "uid": source}
    return {
        "title": title,
        "type": kind,
        "datasource": datasource,
        "targets": [{**target, "datasource": datasource} for target in targets],
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {},
        **more,
    }


def _board(name: str, title: str, *panels: Panel, wide: bool = False, variables: tuple[Panel, ...] = ()) -> str:
    """A dashboard with its panels two a row, or one where they are wide."""
    width, height = (24, 16) if wide else (_WIDTH, _HEIGHT)
    columns = 24 // width
    placed = [
        {"id": number + 1, "gridPos": {"x": number % columns * width, "y": number // columns * height,
                                       "w": width, "h": height}, **panel}
        for number, panel in enumerate(panels)
    ]  # fmt: skip
    board: Panel = {
        "uid": f"stack-{name}",
        "title": title,
        "tags": ["stack"],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": list(variables)},
        "annotations": {"list": []},
        "links": [],
        "panels": placed,
    }
    return json.dumps(board, indent=1, sort_keys=True)


_SERVICE: Panel = {
    "name": "service",
    "label": "Service",
    "type": "query",
    "datasource": {"type": "loki", "uid": "loki"},
    "query": {"label": "service", "stream": '{job="containers"}', "type": 1, "refId": "A"},
    "includeAll": True,
    "allValue": ".+",
    "multi": True,
    "refresh": 2,
    "current": {"text": "All", "value": "$__all"},
}

_DISK = 'fstype!~"tmpfs|ramfs|overlay|squashfs"'

_HIT = "sum by (datname) (rate(pg_stat_database_blks_hit[5m]))"
_READ = "sum by (datname) (rate(pg_stat_database_blks_read[5m]))"

#: The text of each, by its name.
DASHBOARDS: dict[str, str] = {
    "services": _board(
        "services",
        "Services",
        _metric("Answering", "bool_yes_no", ('up{job!="routes"}', "{{service}}"), kind="stat"),
        _metric("Alerts", "none", ('ALERTS{alertstate="firing"}', "{{alertname}} {{service}}"), kind="stat"),
        _metric("Memory", "bytes", ("sum by (service) (service:container_memory_bytes)", "{{service}}")),
        _metric("Processors", "none", ("sum by (service) (service:container_cpu_seconds:rate5m)", "{{service}}")),
        _metric(
            "Starts in 15 minutes", "none", ("sum by (service) (service:container_starts:changes15m)", "{{service}}")
        ),
        _metric("Lines logged", "ops", ("sum by (service) (rate(container_log_lines_total[5m]))", "{{service}}")),
    ),
    "postgres": _board(
        "postgres",
        "Postgres",
        _metric("Answering", "bool_yes_no", ("pg_up", "postgres"), kind="stat"),
        _metric(
            "Connections",
            "none",
            ("sum by (datname) (pg_stat_database_numbackends)", "{{datname}}"),
            ("max(pg_settings_max_connections)", "limit"),
        ),
        _metric("Size", "bytes", ("pg_database_size_bytes", "{{datname}}")),
        _metric(
            "Transactions",
            "ops",
            ("sum by (datname) (rate(pg_stat_database_xact_commit[5m]))", "{{datname}} committed"),
            ("sum by (datname) (rate(pg_stat_database_xact_rollback[5m]))", "{{datname}} rolled back"),
        ),
        _metric(
            "Read from memory",
            "percentunit",
            (f"{_HIT} / ({_HIT} + {_READ})", "{{datname}}"),
        ),
        _metric("Deadlocks", "ops", ("sum by (datname) (rate(pg_stat_database_deadlocks[5m]))", "{{datname}}")),
    ),
    "nginx": _board(
        "nginx",
        "Nginx",
        _metric("Requests", "reqps", ("host:nginx_requests:rate5m", "{{host}}")),
        _metric("Errors", "percentunit", ("host:nginx_errors:rate5m / host:nginx_requests:rate5m", "{{host}}")),
        _metric("Status", "reqps", ("sum by (status) (rate(nginx_requests_total[5m]))", "{{status}}")),
        _metric(
            "Time that 95 % of the requests took",
            "s",
            ("histogram_quantile(0.95, sum by (le, host) (rate(nginx_request_seconds_bucket[5m])))", "{{host}}"),
        ),
        _metric("Routes that answer", "bool_yes_no", ('probe_success{job="routes"}', "{{host}}"), kind="stat"),
        _metric("Certificates end in", "s", ("probe_ssl_earliest_cert_expiry - time()", "{{host}}"), kind="stat"),
    ),
    "host": _board(
        "host",
        "Host",
        _metric("Processors busy", "percentunit", ('1 - avg(rate(node_cpu_seconds_total{mode="idle"}[5m]))', "busy")),
        _metric("Load", "none", ("node_load1", "1 minute"), ("node_load15", "15 minutes")),
        _metric(
            "Memory",
            "bytes",
            ("node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes", "used"),
            ("node_memory_MemTotal_bytes", "total"),
        ),
        _metric(
            "Disks used",
            "percentunit",
            (f"1 - node_filesystem_avail_bytes{{{_DISK}}} / node_filesystem_size_bytes{{{_DISK}}}", "{{mountpoint}}"),
        ),
        _metric("Written", "Bps", ("rate(node_disk_written_bytes_total[5m])", "{{device}}")),
        _metric("Read", "Bps", ("rate(node_disk_read_bytes_total[5m])", "{{device}}")),
    ),
    "logs": _board("logs", "Logs", _logs("Logs", '{service=~"$service"}'), wide=True, variables=(_SERVICE,)),
    "traces": _board("traces", "Traces", _traces("Traces", "{}"), _traces("Failed", "{status=error}"), wide=True),
}
