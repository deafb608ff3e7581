"""The run folder: one run at a time, files replaced whole, and OS errors told in words."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gnas.errors import StudyError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def writing(place: Path | str, kept: str) -> Iterator[None]:
    """Turns OS errors while writing into one clear message.

    Args:
        place: What is written.
        kept: What the user still has (`everything up to trial 12 is kept`).

    Raises:
        StudyError: The disk is full, or the place cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise os_trouble(error, place, kept) from error


def os_trouble(error: OSError, place: Path | str, kept: str) -> StudyError:
    """The message for an OS error while writing `place`."""
    if error.errno in _FULL:
        problem, remedy = "no space left on the device", "free space and run the same command again"
    elif error.errno in _FORBIDDEN:
        problem, remedy = "no permission to write", "choose another --out, or change the permissions"
    else:
        problem, remedy = f"cannot be written ({error.strerror or error})", "choose another --out"
    return StudyError(problem, place=str(place), remedy=f"{kept}; {remedy}" if kept else remedy)


def write_bytes(path: Path, content: bytes) -> None:
    """Replaces a file by a new one: whoever reads it, and whenever the machine stops, sees the old or the new one."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_whole(path: Path, text: str) -> None:
    """`write_bytes` of text in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, data: object) -> None:
    """`write_whole` of indented JSON."""
    write_whole(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def append_line(path: Path, data: dict[str, Any]) -> None:
    """Appends one JSON line and waits until it is on disk."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(data, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


class RunLock:
    """Holds a run folder for one process; the system lets go of it however the process ends.

    Args:
        out: The run folder, made if it does not exist.

    Raises:
        StudyError: Another process holds it, or it cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self._path = out / "run.lock"
        with writing(out, ""):
            out.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+", encoding="utf-8")
        if not _lock(self._file.fileno()):
            self._file.seek(0)
            holder = self._file.read().strip()
            self._file.close()
            raise StudyError(
                "another run is writing this folder",
                place=str(out),
                value=f"process {holder}" if holder else None,
                remedy="wait for it or stop it, or choose another --out",
            )
        with writing(self._path, ""):
            self._file.truncate(0)
            self._file.write(f"{os.getpid()}\n")
            self._file.flush()

    def close(self) -> None:
        """Lets go."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            # A byte far beyond the text, which stays readable for the others.
            os.lseek(descriptor, 1 << 20, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno in (errno.ENOLCK, errno.ENOTSUP):
            return True  # A file system without locks: better an unlocked run than none.
        raise
    return True
