"""`gnas report`: write the report of a run folder again, finished or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gnas.cli.output import print_json


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Write the report of a run folder, finished or not, and print the comparison."""
    from gnas.cli.comparison import comparison
    from gnas.cli.folder import results_of
    from gnas.cli.run import as_plain
    from gnas.report import write_report

    results = results_of(folder)
    path = write_report(folder)
    if as_json:
        print_json(as_plain(results, folder) if results else {"folder": str(folder), "report": str(path)})
        return
    if results is not None:
        typer.echo(comparison(results))
    typer.echo(f"report: {path}")
