"""cli: parse, call one function, print. Errors are caught here, once."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import sys
import warnings
from typing import NoReturn

#: 128 + SIGINT, as shells have it.
_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line; the process ends with the exit code of what happened."""
    from nself_sdk.cli.commands import app  # noqa: PLC0415 - typer is not needed to import the package
    from nself_sdk.errors import NselfError  # noqa: PLC0415 - same

    warnings.showwarning = _show
    _end_as_after_ctrl_c()
    try:
        app(standalone_mode=True)
    except NselfError as error:
        _end(f"error: {error}", error.exit_code)
    except KeyboardInterrupt:
        _end("interrupted", _INTERRUPTED)
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:  # what typer makes of Ctrl-C, without a word
            _end("interrupted", _INTERRUPTED)
        raise
    except BrokenPipeError:
        sys.exit(0)  # the reader went away: nobody is left to tell
    except OSError as error:
        _end(f"error: {_of_this_machine(error)}", 1)
    finally:
        _written()
        gc.freeze()  # else Python looks for garbage once more: a fifth of the time of a build
    sys.exit(0)


def _end_as_after_ctrl_c() -> None:
    """Asked to end, a deploy finishes its step, goes back and unlocks; also where its terminal closes.

    Unless it was started to outlive that (nohup).
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def _of_this_machine(error: OSError) -> str:
    """What a user can mend; anything else is raised again."""
    if isinstance(error, PermissionError):
        return f"{error.filename}: {error.strerror}\n  this user may not use it; name another with -C"
    if error.errno == errno.ENOSPC:
        return "no space is left where this was to be written, and it is not whole\n  make room there"
    raise error


def _written() -> None:
    """All that was said is written, or goes nowhere where nobody reads: else Python would end with 120 of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _end(words: str, code: int) -> NoReturn:
    """The last words, if anybody is left to read them."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{words}\n")
        sys.stderr.flush()
    sys.exit(code)


def _show(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as a line for people: what Python would add is where the SDK raised it."""
    sys.stderr.write(f"warning: {message}\n")
