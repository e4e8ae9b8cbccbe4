"""`python -m app` serves; `python -m app --reload` serves and starts anew when a file in app/ changes."""

import asyncio
import logging
import signal
import sys

from app.main import running
from app.settings import Settings

log = logging.getLogger("app")


def main() -> None:
    """Serve until SIGTERM or SIGINT, let the calls in flight end, and exit with 0."""
    if "--reload" not in sys.argv[1:]:
        asyncio.run(serve(Settings.from_environment()))
        return

    from watchfiles import PythonFilter, run_process

    run_process("app", target="python -m app", target_type="command", watch_filter=PythonFilter())


async def serve(settings: Settings) -> None:
    """Serve until a signal says to stop; a second one ends it at once."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def stop(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    async with running(settings) as ports:
        log.info("listening", extra={"port": ports.service, "probes_port": ports.probes})
        await stopping.wait()
        log.info("stopping")


if __name__ == "__main__":
    main()
