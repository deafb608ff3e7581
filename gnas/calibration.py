"""Calibration: what was measured to be fastest for each architecture of a run, kept beside the study.

A time is no pure function of a study. What it decided is kept, so that from then on everything is: with the same
calibration, a run repeats its numbers to the bit. A run begun in a folder that holds the calibration of another run of
the same spec repeats that run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from gnas.errors import StudyError
from gnas.evaluation import Evaluation
from gnas.numerics import Numerics
from gnas.records import from_json, to_json
from gnas.results import FinalRow
from gnas.runfolder import write_json, writing

CALIBRATION = "numerics.json"


class Calibration:
    """`numerics.json` of a run folder: numerics by digest, those of baselines by their name.

    Args:
        out: The run folder.
        known: Evaluations and final rows on disk: one that was written just before a kill is not in the file yet.

    Raises:
        StudyError: The file is damaged.
    """

    def __init__(self, out: Path, known: Iterable[Evaluation | FinalRow] = ()) -> None:
        self._path = out / CALIBRATION
        self._held = _read(self._path)
        for record in known:
            if record.numerics is not None:
                self._held.setdefault(_key(record), record.numerics)

    def find(self, key: str) -> Numerics | None:
        """What was measured for a digest or a baseline; None where nothing was, or there was nothing to choose."""
        return self._held.get(key)

    def add(self, record: Evaluation | FinalRow) -> None:
        """Keeps what a training measured, on disk when this returns. The first word on an architecture stays.

        Raises:
            StudyError: It cannot be written.
        """
        key = _key(record)
        if record.numerics is None or key in self._held:
            return
        self._held[key] = record.numerics
        with writing(self._path, "everything evaluated is kept"):
            write_json(self._path, {key: to_json(numerics) for key, numerics in self._held.items()})


def _key(record: Evaluation | FinalRow) -> str:
    return record.digest or (record.name if isinstance(record, FinalRow) else "")


def _read(path: Path) -> dict[str, Numerics]:
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {str(digest): from_json(Numerics, numerics) for digest, numerics in data.items()}
    except (ValueError, AttributeError) as error:
        raise StudyError(
            f"cannot be read ({error})", place=str(path), remedy="remove it: what the study knows is read from there"
        ) from error
