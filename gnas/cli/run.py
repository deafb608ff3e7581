"""`gnas run`: search, compare, export, report; continues what is there."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gnas.cli.guard import INTERRUPTED, hear_interrupts
from gnas.cli.output import print_json
from gnas.errors import UserError

if TYPE_CHECKING:
    from gnas.cli.progress import PlainProgress
    from gnas.evaluation import Objective
    from gnas.problem import Problem
    from gnas.results import RunResults


def run(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The spec file.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/NAME.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default what the spec says.")] = None,
    executor: Annotated[
        Literal["inline", "processes", "ray"] | None, typer.Option(help="Where candidates are trained.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Search, retrain the best, compare, export, report. Started again, it continues."""
    from gnas.problem import load_problem

    problem = load_problem(spec)
    folder = out or Path("runs") / folder_name(problem, spec)
    command = f"gnas run {spec} --out {folder}"
    continued = (folder / "run.json").exists()
    if not continued:
        _refuse_impossible(problem)
    with _interruptible(), _progress(problem.objective, quiet=quiet) as progress:
        if continued:
            progress.message(f"continuing {folder}")
        try:
            results = _run(problem, folder, workers, executor, progress)
        except UserError as error:
            raise located(problem, error) from error
        except KeyboardInterrupt:
            progress.message(f"stopped; everything finished is kept; to continue: {command}")
            raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(as_plain(results, folder))
    else:
        _tell(results, folder)


def located(problem: Problem, error: UserError) -> UserError:
    """The same error; a key path of the spec given with file and line."""
    from gnas.yamlfile import read_yaml

    if problem.path is None or not problem.path.is_file():
        return error
    return read_yaml(problem.path).relocate(error)


def folder_name(problem: Problem, spec: Path) -> str:
    """The spec's name as a folder, or the file's where the spec has none."""
    name = problem.spec.name if "name" in problem.spec.model_fields_set else spec.stem
    return "".join(character if character.isalnum() or character in "-_." else "-" for character in name) or "run"


def as_plain(results: RunResults, folder: Path) -> dict[str, Any]:
    """The results as JSON types, with where they lie."""
    from gnas.cli.comparison import verdict_sentence
    from gnas.records import to_json

    where = {"folder": str(folder), "report": str(folder / "report.html"), "best": str(folder / "best")}
    return {**where, "verdict": verdict_sentence(results), **to_json(results)}


def _run(
    problem: Problem, folder: Path, workers: int | None, executor: str | None, progress: PlainProgress
) -> RunResults:
    from gnas.run import run as run_problem

    return run_problem(problem, folder, workers=workers, executor=executor, progress=progress)


def _refuse_impossible(problem: Problem) -> None:
    import torch

    from gnas.feasible import check_feasible

    torch.set_num_threads(1)
    check_feasible(problem, enough=1)


def _tell(results: RunResults, folder: Path) -> None:
    from gnas.cli.comparison import comparison, verdict_sentence

    typer.echo(comparison(results))
    for note in results.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"\n{verdict_sentence(results)}")
    if (folder / "best").is_dir():
        typer.echo(f"model: {folder / 'best'}")
    if (folder / "report.html").is_file():
        typer.echo(f"report: {folder / 'report.html'}")


def _progress(objective: Objective, *, quiet: bool) -> PlainProgress:
    from gnas.cli.progress import LiveProgress, PlainProgress

    if quiet or not sys.stderr.isatty():
        return PlainProgress(objective, quiet=quiet)
    return LiveProgress(objective)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM both end the run as `KeyboardInterrupt`."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hear_interrupts()
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
