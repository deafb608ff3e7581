"""What the verbs read of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gnas.errors import StudyError

if TYPE_CHECKING:
    from gnas.problem import Problem
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
    if not any((folder / name).is_file() for name in ("study.journal", "spec.yaml", "results.json")):
        raise StudyError(
            "no run folder",
            place=str(folder),
            accepted="a folder with spec.yaml and study.journal",
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


def problem_of(folder: Path) -> Problem:
    """The problem of a run folder, from its copy of the spec.

    Raises:
        UserError: No run folder, or something its spec names is no longer there.
    """
    from gnas.problem import load_problem

    require_run_folder(folder)
    spec = folder / "spec.yaml"
    if not spec.is_file():
        raise StudyError("the copy of the spec is gone", place=str(spec), remedy="copy the spec there")
    return load_problem(spec)
