"""What the verbs read of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gnas.errors import StudyError

if TYPE_CHECKING:
    from gnas.results import RunResults


def require_run_folder(folder: Path) -> None:
    """Checks that `folder` is a run folder.

    Raises:
        StudyError: It is not.
    """
    if not folder.is_dir():
        raise StudyError(
            "no such folder", place=str(folder), remedy="name the folder given to: gnas run SPEC --out DIR"
        )
    if not (folder / "study.journal").is_file():
        raise StudyError(
            "no run folder: it holds no study.journal",
            place=str(folder),
            remedy="make one with: gnas run SPEC --out DIR",
        )


def results_of(folder: Path) -> RunResults | None:
    """Results of a finished run; None of an unfinished one.

    Raises:
        StudyError: No run folder, or results that cannot be read.
    """
    from gnas.records import from_json
    from gnas.results import RunResults

    require_run_folder(folder)
    path = folder / "results.json"
    if not path.is_file():
        return None
    try:
        return from_json(RunResults, path.read_bytes())
    except ValueError as error:
        raise StudyError(
            f"cannot be read ({error})", place=str(path), remedy="remove it and start the same gnas run again"
        ) from error
