"""The application: the verbs and the way errors leave it. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from gnas import __version__
from gnas.cli.auto import auto
from gnas.cli.export import export
from gnas.cli.fit import fit
from gnas.cli.guard import guarded
from gnas.cli.init import init
from gnas.cli.plan import plan
from gnas.cli.report import report
from gnas.cli.run import run
from gnas.cli.screen import screen
from gnas.cli.space import space

app = typer.Typer(
    name="gnas",
    no_args_is_help=True,
    add_completion=False,
    # NOTE: rich help costs a third of the time `--help` may take.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gnas {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Neural architecture search: one YAML file in, a better model out, honestly measured."""


for verb in (plan, run, auto, report, export, fit, screen, init):
    app.command()(verb)
app.add_typer(space, name="space")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; ends the process with the exit code.

    Args:
        arguments: Instead of those of the process.
    """
    with guarded():
        app(list(arguments) if arguments is not None else None, prog_name="gnas")
