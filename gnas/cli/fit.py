"""`gnas fit`: fit a predictor, say how good it is, and keep it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gnas.cli.labels import (
    NOT_BETTER,
    Evaluations,
    Extra,
    Folder,
    Json,
    Larger,
    Metric,
    Seed,
    SpaceName,
    held_out,
    source_of,
    told_labels,
)
from gnas.cli.output import print_json


def fit(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write the predictor to.")],
    folder: Folder = None,
    space: SpaceName = None,
    evaluations: Evaluations = None,
    metric: Metric = None,
    larger: Larger = None,
    extra: Extra = None,
    warm_start: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A predictor of another space to start from; dropped if it does not help."),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Fit a predictor on evaluated architectures and save it for `gnas screen --predictor`.

    Exit code 8: saved, but it ranks held-out labels no better than chance, the parameter count or a cheap feature.
    """
    from gnas.cli.bar import Bar
    from gnas.predictors.store import load_predictor, save_predictor
    from gnas.runfolder import writing
    from gnas.screening.fitting import fit_predictor, labels_as_json, stored
    from gnas.screening.request import cost_book, read_labels
    from gnas.screening.result import honesty_as_json

    source = None if warm_start is None else load_predictor(warm_start)
    labels = read_labels(source_of(folder, space, evaluations, metric, larger, extra))
    book, remarks = cost_book(folder, labels.space)
    with Bar(quiet=as_json) as bar:
        fitted = fit_predictor(
            labels, book, seed=seed, source=source, told=lambda done, total: bar.update("fit", done, total)
        )
    kept = stored(fitted, seed)
    with writing(out, ""):
        save_predictor(kept, out)
    remarks = (*labels.remarks, *remarks, *fitted.remarks)
    if as_json:
        print_json(
            {
                "better": fitted.honesty.better,
                "sentence": fitted.honesty.sentence(),
                "space": labels.space.name,
                "metric": labels.objective.name,
                "direction": labels.objective.direction,
                "labels": labels_as_json(labels),
                "held_out": honesty_as_json(fitted.honesty),
                **fitted.about,
                "predictor": str(out),
                "remarks": list(remarks),
            }
        )
    else:
        typer.echo(f"{fitted.honesty.sentence()}\n\n{held_out(fitted)}\n{told_labels(labels)}")
        for remark in remarks:
            typer.echo(f"note: {remark}")
        typer.echo(f"predictor: {out}")
    if not fitted.honesty.better:
        raise typer.Exit(NOT_BETTER)
