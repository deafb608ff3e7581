"""How errors leave the command line: one message on stderr and an exit code, never a traceback."""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from gnas.errors import StudyError, UserError

UNEXPECTED = 70
"""Exit code of an error that is ours (EX_SOFTWARE)."""
INTERRUPTED = 130
_REMEDIES = {
    errno.ENOSPC: "free some space; everything finished is kept, and the same command continues",
    errno.EDQUOT: "free some space; everything finished is kept, and the same command continues",
    errno.EFBIG: "raise the limit on the size of files; everything finished is kept, and the same command continues",
    errno.EROFS: "choose another folder with --out",
    errno.EACCES: "choose another folder, or change its permissions",
    errno.EPERM: "choose another folder, or change its permissions",
    errno.ENOTDIR: "choose another folder: part of this path is a file",
    errno.EISDIR: "name a file, not a folder",
    errno.EEXIST: "choose another name: this one is taken",
    errno.ENAMETOOLONG: "choose a shorter name",
}


@contextmanager
def guarded() -> Iterator[None]:
    """Turns exceptions into a message and an exit code. With `GNAS_DEBUG=1` they pass through.

    Raises:
        SystemExit: With the error's exit code.
    """
    debug = os.environ.get("GNAS_DEBUG", "") not in ("", "0")
    try:
        yield
    except UserError as error:
        if debug:
            raise
        tell(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader (`| head`) has gone; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if debug:
            raise
        known = known_os_error(error)
        if known is not None:
            tell(known)
            sys.exit(known.exit_code)
        print(f"error: unexpected {type(error).__name__}: {_first_line(error)}; {_log(error)}", file=sys.stderr)
        sys.exit(UNEXPECTED)


def hear_interrupts() -> None:
    """Puts Python's handler of Ctrl-C back: some libraries leave one of their own, which swallows the first Ctrl-C.

    Where Ctrl-C is ignored (a job in the background of a script), it is again.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)


def tell(error: UserError) -> None:
    """The message on stderr; a line each where there are several."""
    for line in str(error).splitlines():
        print(f"error: {line}", file=sys.stderr)


def known_os_error(error: BaseException) -> StudyError | None:
    """An error of the file system as a message with a remedy; None for any other."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _REMEDIES:
            place = str(seen.filename) if seen.filename else None
            return StudyError(
                f"cannot be written or read: {(seen.strerror or 'error').lower()}",
                place=place,
                remedy=_REMEDIES[seen.errno],
            )
        seen = seen.__cause__ or seen.__context__
    return None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no message"


def _log(error: BaseException) -> str:
    try:
        with tempfile.NamedTemporaryFile("w", prefix="gnas-", suffix=".log", delete=False, encoding="utf-8") as file:
            file.writelines(traceback.format_exception(error))
        return f"the traceback is in {file.name}; please report it"
    except OSError:
        return "set GNAS_DEBUG=1 to see the traceback; please report it"
