"""A program on the host that the edge asks, as a frontend's development server is."""

from __future__ import annotations

import http.server
import threading
from functools import partial


class HostServer(http.server.ThreadingHTTPServer):
    """While it is entered it answers, at the port that entering it gives."""

    def __enter__(self) -> int:  # type: ignore[override]
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self.server_port

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Greeting(http.server.BaseHTTPRequestHandler):
    """Tells what it was asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.headers['X-Forwarded-Host']} {self.path}".encode())

    def log_message(self, *_: object) -> None:
        pass


host_server = partial(HostServer, ("0.0.0.0", 0), Greeting)  # noqa: S104 - containers must reach it
