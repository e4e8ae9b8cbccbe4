"""A stand-in for Mailpit: catches mail over SMTP, and answers the part of its API that tests ask."""

from __future__ import annotations

import email
import email.policy
import os
import signal
import sys
import uuid
from datetime import UTC, datetime

from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

BOX: list[dict[str, object]] = []
MOST = int(os.environ.get("MP_MAX_MESSAGES", "500"))


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").lower() in {"1", "true"}


def _addresses(values: list[str]) -> list[dict[str, str]]:
    return [{"Name": name, "Address": address} for name, address in email.utils.getaddresses(values)]


class Catcher:
    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802 - its name
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text = message.get_body(("plain",))
        html = message.get_body(("html",))
        BOX.insert(
            0,
            {
                "ID": uuid.uuid4().hex[:22],
                "From": (_addresses(message.get_all("from", [])) or [None])[0],
                "To": _addresses(message.get_all("to", [])),
                "Subject": str(message["subject"] or ""),
                "Created": datetime.now(UTC).isoformat(),
                "Size": len(envelope.content),
                "Text": text.get_content() if text else "",
                "HTML": html.get_content() if html else "",
            },
        )
        del BOX[MOST:]
        return f"250 2.0.0 Ok: queued as {BOX[0]['ID']}"


def _listed(messages: list[dict[str, object]]) -> web.Response:
    short = [{key: value for key, value in one.items() if key not in {"Text", "HTML"}} for one in messages]
    return web.json_response({"total": len(BOX), "messages_count": len(messages), "start": 0, "messages": short})


async def _messages(_: web.Request) -> web.Response:
    return _listed(BOX)


async def _search(request: web.Request) -> web.Response:
    words = request.query.get("query", "").rpartition(":")[2].strip('"').lower()
    return _listed([one for one in BOX if words in str(one).lower()])


async def _message(request: web.Request) -> web.Response:
    wanted = request.match_info["id"]
    found = BOX[:1] if wanted == "latest" else [one for one in BOX if one["ID"] == wanted]
    return web.json_response(found[0]) if found else web.Response(status=404, text="message not found")


async def _empty(_: web.Request) -> web.Response:
    BOX.clear()
    return web.Response(text="ok")


async def _ok(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _page(_: web.Request) -> web.Response:
    return web.Response(text="<title>Mailpit</title>stand-in", content_type="text/html")


def _smtp() -> Controller:
    anyone = _is_set("MP_SMTP_AUTH_ACCEPT_ANY")
    return Controller(
        Catcher(),
        hostname="0.0.0.0",  # noqa: S104 - in a container
        port=1025,
        authenticator=lambda *_: AuthResult(success=anyone),
        auth_require_tls=not _is_set("MP_SMTP_AUTH_ALLOW_INSECURE"),
    )


def _application() -> web.Application:
    made = web.Application()
    made.add_routes(
        [
            web.get("/livez", _ok),
            web.get("/readyz", _ok),
            web.get("/api/v1/messages", _messages),
            web.delete("/api/v1/messages", _empty),
            web.get("/api/v1/search", _search),
            web.get("/api/v1/message/{id}", _message),
            web.get("/", _page),
        ]
    )
    return made


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    smtp = _smtp()
    smtp.start()
    web.run_app(_application(), port=8025, print=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
