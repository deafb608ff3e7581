"""`gnas export`: a model of a run as plain source, weights, ONNX or `torch.export` file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnas.cli.output import print_json

if TYPE_CHECKING:
    from gnas.export import ExportReport, Format


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run folder.")],
    trial: Annotated[
        int | None, typer.Option(min=0, help="Trial of the search; by default the finalist the run chose.")
    ] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="All finalists as one network: the mean of their outputs.")
    ] = False,
    to: Annotated[
        str, typer.Option(metavar="FORMATS", help="Any of model.py, onnx, pt2, with commas.")
    ] = "model.py,onnx,pt2",
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; by default DIR/best, DIR/trial-N or DIR/ensemble.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a model of a run as plain source with weights, ONNX or pt2, compared with the original."""
    formats = _formats(to)
    from gnas.cli.folder import problem_of
    from gnas.errors import ExportError
    from gnas.export import export_best, export_ensemble

    if ensemble and trial is not None:
        raise ExportError("a trial is one network", place="--ensemble", remedy="give --trial or --ensemble")
    problem = problem_of(folder)
    report = (
        export_ensemble(problem, folder, formats, folder=out)
        if ensemble
        else export_best(problem, folder, trial, formats, folder=out, told=lambda line: typer.echo(line, err=True))
    )
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
    from gnas.export import FORMATS

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


def _plain(report: ExportReport) -> dict[str, object]:
    return {
        "folder": str(report.folder),
        "files": list(report.files),
        "examples": report.examples,
        "differences": dict(report.differences),
        "warnings": list(report.warnings),
    }
