"""Optuna's journal file after an accident: half-written tails are set aside, stale locks removed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from gnas.errors import StudyError
from gnas.runfolder import writing


def repair_journal(path: Path) -> str:
    """Makes a journal readable after a crash; call only while holding the run folder.

    A record that a crash cut short can only be at the end. It is moved to `<name>.broken-<n>` beside the journal, and
    everything before it is kept. Lock files that a killed process left are removed.

    Returns:
        What was done, in one line; empty if nothing was.

    Raises:
        StudyError: A broken line has good ones after it: no crash does that, and nothing is changed.
    """
    with writing(path, "nothing is lost"):
        for stale in path.parent.glob(path.name + ".lock*"):
            stale.unlink(missing_ok=True)
        if not path.exists():
            return ""
        content = path.read_bytes()
        good, broken_line = _good_bytes(path, content)
        if good == len(content):
            return ""
        aside = _free_name(path)
        _write_synced(aside, content[good:])
        with path.open("r+b") as file:
            file.truncate(good)
            os.fsync(file.fileno())
    return (
        f"{path.name} ended in the middle of a record (line {broken_line}, {len(content) - good:,} bytes): "
        f"moved to {aside.name}; everything before it is kept"
    )


def _good_bytes(path: Path, content: bytes) -> tuple[int, int]:
    """Length of the part before the first broken line, and the number of that line (0 if none)."""
    start, good, broken = 0, len(content), 0
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        if _is_record(line):
            if broken:
                raise StudyError(
                    "the journal is damaged in the middle",
                    place=f"{path}:{broken}",
                    value=_excerpt(content[good:]),
                    accepted="one JSON record a line",
                    remedy="remove that line by hand if you know what it is, or restore the file, or choose another "
                    "--out; nothing was changed",
                )
        elif not broken:
            good, broken = start, number
        start += len(line)
    return good, broken


def _is_record(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return False
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and isinstance(record.get("op_code"), int) and "worker_id" in record


def _excerpt(content: bytes) -> str:
    text = content[:40].decode("utf-8", errors="replace")
    return text.splitlines()[0] if text.strip() else text


def _free_name(path: Path) -> Path:
    number = 1
    while (candidate := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    return candidate


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
