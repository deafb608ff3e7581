"""Options that `gnas screen` and `gnas fit` share: where labels come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gnas.screening.fitting import Fitted
    from gnas.screening.labels import Labels
    from gnas.screening.request import Source

Folder = Annotated[
    Path | None, typer.Argument(metavar="RUN_DIR", help="A run folder; else --space with --evaluations.")
]
SpaceName = Annotated[str | None, typer.Option("--space", help="Name or YAML file of the space of --evaluations.")]
Evaluations = Annotated[
    Path | None,
    typer.Option(metavar="FILE.csv", help="Evaluated architectures: a column for each choice and each metric."),
]
Metric = Annotated[
    str | None, typer.Option(help="What to predict: a column of the table; by default a run's objective.")
]
Larger = Annotated[bool | None, typer.Option("--maximize/--minimize", help="Which direction is better.")]
Extra = Annotated[
    list[str] | None,
    typer.Option(metavar="COL", help="A numeric column as one more feature; needs a pool file that has it too."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

NOT_BETTER = 8
"""Exit code: on held-out labels the predictor is no better than chance, the parameter count or a cheap feature."""


def source_of(
    folder: Path | None,
    space: str | None,
    evaluations: Path | None,
    metric: str | None,
    larger: bool | None,
    extra: list[str] | None,
) -> Source:
    """The options as one record."""
    from gnas.screening.request import Source

    direction = None if larger is None else "maximize" if larger else "minimize"
    return Source(folder, space, evaluations, metric, direction, tuple(dict.fromkeys(extra or ())))  # type: ignore[arg-type]


def held_out(fitted: Fitted) -> str:
    """The cross-validation as text: a line for each contender, and one for the intervals."""
    from gnas.cli.output import table

    honesty = fitted.honesty
    rows = [[m.name, f"{m.tau:.2f} ± {m.error:.2f}"] for m in (honesty.predictor, *honesty.baselines)]
    rows.append(["chance (95 % of random rankings stay below)", f"{honesty.chance:.2f}"])
    head = [f"on held-out labels ({honesty.folds} folds of {honesty.n})", "Kendall τ"]
    return f"{table(head, rows)}\n90 % intervals hold {honesty.coverage:.0%} of held-out labels"


def told_labels(labels: Labels) -> str:
    """`labels: 200 of accuracy (larger is better) from file.csv; left out: …`."""
    better = "smaller" if labels.objective.direction == "minimize" else "larger"
    left_out = [f"{count} {reason}" for reason, count in labels.dropped.items()]
    left_out += [f"{labels.merged} averaged with an isomorphic twin"] if labels.merged else []
    text = f"labels: {len(labels)} of {labels.objective.name} ({better} is better) from {labels.source}"
    return text + (f"; {'; '.join(left_out)}" if left_out else "")
