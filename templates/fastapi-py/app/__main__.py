"""`python -m app` serves; `python -m app --reload` serves and starts anew when a file in app/ changes."""

import signal
import sys

import uvicorn

from app import logs
from app.settings import Settings


def main() -> None:
    """Serve until SIGTERM or SIGINT, let the requests in flight end, and exit with 0."""
    settings = Settings.from_environment()
    logs.configure(settings.name, settings.log_level)
    reload = "--reload" in sys.argv[1:]
    # Uvicorn drains, then raises the signal it caught again, for this handler: an orderly stop is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    uvicorn.run(
        "app.main:create_app",
        factory=True,
        host="0.0.0.0",  # noqa: S104 - in a container, who may reach it is the network's business
        port=settings.port,
        reload=reload,
        reload_dirs=["app"] if reload else None,
        log_config=None,  # app/logs.py configures the logs
        access_log=False,  # app/observe.py writes them
        server_header=False,
        forwarded_allow_ips="*",  # only the proxy in front can reach the port
        timeout_keep_alive=75,  # nginx keeps an idle connection for 60: it must be the one that closes
        timeout_graceful_shutdown=settings.drain_seconds,
    )


if __name__ == "__main__":
    main()
