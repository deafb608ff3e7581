"""`gnas export`: a model of a run as plain source, weights, ONNX or `torch.export` file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnas.cli.output import print_json

if TYPE_CHECKING:
    from torch import nn

    from gnas.cli.model import Chosen
    from gnas.export.report import ExportReport, Format
    from gnas.problem import Problem


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run folder.")],
    trial: Annotated[
        int | None, typer.Option(min=0, help="Trial of the search; by default the finalist the run chose.")
    ] = None,
    to: Annotated[
        str, typer.Option(metavar="FORMATS", help="Any of model.py, onnx, pt2, with commas.")
    ] = "model.py,onnx,pt2",
    out: Annotated[Path | None, typer.Option(help="Folder to write; by default DIR/best or DIR/trial-N.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a model of a run as plain source with weights, ONNX or pt2, compared with the original."""
    formats = _formats(to)
    from gnas.cli.folder import problem_of
    from gnas.cli.model import choose
    from gnas.export.model import export_model

    problem = problem_of(folder)
    chosen = choose(folder, problem, trial)
    target = out or folder / ("best" if trial is None else f"trial-{trial}")
    network = _weights(problem, chosen)
    report = export_model(network, chosen.architecture, problem.task, target, formats, origin=chosen.origin)
    if as_json:
        print_json(_plain(report))
        return
    for name in report.files:
        difference = report.differences.get(name)
        typer.echo(f"{report.folder / name}" + ("" if difference is None else f"  (differs by {difference:.1g})"))
    for warning in report.warnings:
        typer.echo(f"warning: {warning}", err=True)


def _formats(text: str) -> tuple[Format, ...]:
    from gnas.checking import suggest
    from gnas.errors import ExportError
    from gnas.export.report import FORMATS

    known = {str(name): name for name in FORMATS}
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    for word in wanted:
        if word not in known:
            raise ExportError(
                "unknown format",
                place="--to",
                value=word,
                accepted=", ".join(known),
                remedy=suggest(word, list(known)) or None,
            )
    if not wanted:
        raise ExportError("no format", place="--to", accepted=", ".join(known))
    return tuple(known[word] for word in dict.fromkeys(wanted))


def _weights(problem: Problem, chosen: Chosen) -> nn.Module:
    """The network with its weights: those kept, or newly trained where the trial was no finalist."""
    from gnas.cli.model import restore, retrain

    if chosen.weights is not None:
        return restore(problem, chosen)
    typer.echo(f"trial {chosen.trial} was no finalist, so its weights were not kept: training it again", err=True)
    return retrain(problem, chosen)


def _plain(report: ExportReport) -> dict[str, object]:
    return {
        "folder": str(report.folder),
        "files": list(report.files),
        "examples": report.examples,
        "differences": dict(report.differences),
        "warnings": list(report.warnings),
    }
