"""`gnas auto`: a model of the user's as a search space, what the space covers, and smaller models."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnas.cli.guard import hear_interrupts
from gnas.cli.output import print_json
from gnas.errors import SpecError

if TYPE_CHECKING:
    from gnas.auto.analysis import Analysis
    from gnas.auto.results import Results
    from gnas.auto.spec import AutoSpecFile

_TARGET = (
    "Who makes the model: package.module:factory or file.py:factory, a function without arguments that returns a "
    "torch.nn.Module, (module, args) or (module, args, kwargs). It is imported and called."
)
_EXAMPLE = (
    "Example inputs: 1x3x224x224, float32[2,3,32,32], int64[1,16]<30522, name=VALUE, several with ; between them, or a "
    "function that returns them (file.py:inputs). Never evaluated as Python."
)
_REDUCE = (
    "What to reduce the model to: n_params=0.5, macs=0.5 or latency=0.6 for a share, n_params<1e6, macs<30M or "
    "latency_ms<4 for a limit. Needs a task in --spec. Repeat it for several sub-networks."
)


def auto(
    target: Annotated[str | None, typer.Argument(metavar="TARGET", help=_TARGET, show_default=False)] = None,
    example: Annotated[str | None, typer.Option(metavar="EXPR", help=_EXAMPLE)] = None,
    spec: Annotated[
        Path | None, typer.Option(metavar="SPEC", help="YAML file with target, example, train, evaluate, reduce.")
    ] = None,
    reduce: Annotated[list[str] | None, typer.Option(metavar="COST", help=_REDUCE, show_default=False)] = None,
    latency: Annotated[bool, typer.Option(help="Time the smallest sub-network beside the whole model.")] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report, drawing and models; with a task by default runs/NAME.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Turn a PyTorch model into a search space in which every sub-network runs, and make it smaller.

    Without a task it says what can be searched and what not. With train and evaluate in a spec it makes a sub-network
    for each reduction; started again, it continues.
    """
    from gnas.auto.analysis import analyse

    request = _request(target, example, spec, reduce or [])
    hear_interrupts()
    task = None
    if request.spec.train is not None:
        from gnas.auto.search import task_of

        task = task_of(request)
    elif request.reductions:
        raise SpecError(
            "a reduction needs a task",
            place=request.place("reduce"),
            value=str(request.reductions[0]),
            accepted="a spec with train: file.py:train and evaluate: file.py:evaluate",
        )
    analysis = analyse(request, measure=latency and task is None)
    command = shlex.join(["gnas", *sys.argv[1:]])
    results = None
    if task is not None:
        from gnas.auto.search import search
        from gnas.runfolder import RunLock

        out = out or Path("runs") / request.spec.name
        with RunLock(out):
            results = search(analysis, request, task, out, _teller(quiet))
            _write(analysis, results, out, command)
    elif out is not None:
        _write(analysis, None, out, command)
    _tell(analysis, results, out, as_json)


def _request(target: str | None, example: str | None, spec: Path | None, reduce: list[str]) -> AutoSpecFile:
    """The spec file with the options in place of what it says, or the options alone."""
    from gnas.auto.reduction import read_reduction
    from gnas.auto.spec import AutoSpec, AutoSpecFile, read_auto_spec

    reductions = tuple(dict.fromkeys(read_reduction(text) for text in reduce))
    if spec is None:
        if target is None:
            raise SpecError("no TARGET", place="gnas auto", accepted="package.module:factory or file.py:factory")
        return AutoSpecFile(AutoSpec(target=target, example=example), reductions)
    return read_auto_spec(spec, target=target, example=example, reductions=reductions)


def _teller(quiet: bool) -> Callable[[str], None]:
    return (lambda line: None) if quiet else (lambda line: typer.echo(line, err=True))


def _write(analysis: Analysis, results: Results | None, out: Path, command: str) -> None:
    from gnas.auto.files import write_report

    write_report(analysis, results, out, command=command)


def _tell(analysis: Analysis, results: Results | None, out: Path | None, as_json: bool) -> None:
    from gnas.auto.summary import as_plain
    from gnas.cli.coverage import as_text

    if as_json:
        print_json({**as_plain(analysis, results), "folder": None if out is None else str(out)})
        return
    typer.echo(as_text(analysis, results))
    if out is not None:
        typer.echo(f"\nreport: {out / 'report.html'}")
