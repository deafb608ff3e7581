"""`gnas auto`: a model of the user's as a search space, what the space covers, and smaller models."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnas.cli.guard import hear_interrupts
from gnas.cli.output import print_json
from gnas.errors import SpecError

if TYPE_CHECKING:
    from gnas.auto.analysis import Analysis

_EXAMPLE = (
    "Example inputs: 1x3x224x224, float32[2,3,32,32], int64[1,16]<30522, name=VALUE, several with ; between them, or a "
    "function that returns them (file.py:inputs). It is never evaluated as Python."
)


def auto(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            help="Who makes the model: package.module:factory or file.py:factory. It is imported and called.",
            show_default=False,
        ),
    ] = None,
    example: Annotated[str | None, typer.Option(metavar="EXPR", help=_EXAMPLE)] = None,
    latency: Annotated[bool, typer.Option(help="Time the smallest sub-network beside the whole model.")] = True,
    out: Annotated[Path | None, typer.Option(help="Folder for the report, the drawing and the models.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Turn a PyTorch model into a search space in which every sub-network runs.

    TARGET names a function without arguments that returns a torch.nn.Module, (module, args) or (module, args, kwargs).
    """
    if target is None:
        raise SpecError("no TARGET", place="gnas auto", accepted="package.module:factory or file.py:factory")
    from gnas.auto.analysis import Request, analyse

    hear_interrupts()
    analysis = analyse(Request(target, example), measure=latency)
    if out is not None:
        _write(analysis, out)
    _tell(analysis, out, as_json)


def _write(analysis: Analysis, out: Path) -> None:
    from gnas.auto.files import write_coverage

    write_coverage(analysis, out, command=shlex.join(["gnas", *sys.argv[1:]]))


def _tell(analysis: Analysis, out: Path | None, as_json: bool) -> None:
    from gnas.auto.summary import as_plain
    from gnas.cli.coverage import as_text

    if as_json:
        print_json({**as_plain(analysis), "folder": None if out is None else str(out)})
        return
    typer.echo(as_text(analysis))
    if out is not None:
        typer.echo(f"\nreport: {out / 'report.html'}")
