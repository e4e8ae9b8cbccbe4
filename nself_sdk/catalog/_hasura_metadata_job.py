"""The job that enters actions and event triggers into Hasura's metadata. It travels as text and runs in a container.

``python hasura-metadata.py wanted.json http://hasura:8080 /run/secrets/NAME``. It replaces what it entered before and
leaves the rest as it is, in one call: all or nothing; running it again changes nothing. Standard library only.

Sources: https://hasura.io/docs/2.0/api-reference/metadata-api/manage-metadata/ (export_metadata, replace_metadata and
resource_version), https://hasura.io/docs/2.0/api-reference/syntax-defs/ (the parts of the document).
"""

import copy
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

# Who has it, was entered here.
HEADER = "X-Webhook-Secret"


def merged(current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The metadata with exactly the wanted actions and event triggers of ours in it."""
    document = copy.deepcopy(current)
    theirs = [action for action in document.get("actions", []) if not is_ours(action["definition"])]
    ours = [action for action in document.get("actions", []) if is_ours(action["definition"])]
    replaced = {action["definition"]["output_type"].strip("[]!") for action in ours} | {
        each["name"] for each in wanted["objects"]
    }
    types: dict[str, Any] = document.get("custom_types") or {}
    kept = [each for each in types.get("objects", []) if each["name"] not in replaced]
    put(document, "actions", theirs + wanted["actions"])
    put(types, "objects", kept + wanted["objects"])
    put(document, "custom_types", types)
    source = next(each for each in document["sources"] if each["name"] == "default")
    triggers(source.setdefault("tables", []), wanted["events"])
    return document


def triggers(tables: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
    """Give each table its event triggers of ours; one that is not tracked yet is tracked."""
    tables += [{"table": table} for table in unique(event["table"] for event in events) if not named(tables, table)]
    for entry in tables:
        theirs = [each for each in entry.get("event_triggers", []) if not is_ours(each)]
        mine = [event["trigger"] for event in events if event["table"] == entry["table"]]
        put(entry, "event_triggers", theirs + mine)


def unique(tables: Any) -> list[Any]:
    """Each once."""
    return [json.loads(text) for text in sorted({json.dumps(table) for table in tables})]


def named(tables: list[dict[str, Any]], table: dict[str, str]) -> bool:
    """Whether the table is tracked."""
    return any(entry["table"] == table for entry in tables)


def is_ours(definition: dict[str, Any]) -> bool:
    """Whether this was entered here."""
    return any(header["name"] == HEADER for header in definition.get("headers", []))


def put(place: dict[str, Any], key: str, value: Any) -> None:
    """Set it; what is empty is left out, as Hasura leaves it out."""
    if value:
        place[key] = value
    else:
        place.pop(key, None)


def call(endpoint: str, secret: str, body: dict[str, Any]) -> Any:
    """One command of the metadata API."""
    headers = {"Content-Type": "application/json", "X-Hasura-Admin-Secret": secret}
    request = urllib.request.Request(f"{endpoint}/v1/metadata", json.dumps(body).encode(), headers)  # noqa: S310 - http
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - same
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"Hasura refused {body['type']}: {error.read().decode(errors='replace')}")


def main(wanted_path: str, endpoint: str, secret_path: str) -> None:
    """Enter what is wanted."""
    wanted = json.loads(Path(wanted_path).read_text(encoding="utf-8"))
    secret = Path(secret_path).read_text(encoding="utf-8")
    found = call(endpoint, secret, {"type": "export_metadata", "version": 2, "args": {}})
    document = merged(found["metadata"], wanted)
    if document == found["metadata"]:
        sys.stdout.write("nothing changed\n")
        return
    arguments = {"allow_inconsistent_metadata": False, "metadata": document}
    replace = {"type": "replace_metadata", "version": 2, "resource_version": found["resource_version"]}
    call(endpoint, secret, {**replace, "args": arguments})
    sys.stdout.write(f"{len(wanted['actions'])} actions and {len(wanted['events'])} event triggers entered\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
