"""`gnas screen`: rank a large pool with a predictor fitted on a few dozen evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from gnas.cli.output import print_json, table

if TYPE_CHECKING:
    from gnas.screening.fitting import Fitted
    from gnas.screening.result import Screening

_MOST_SHOWN = 50


def screen(
    folder: Folder = None,
    space: SpaceName = None,
    evaluations: Evaluations = None,
    metric: Metric = None,
    larger: Larger = None,
    pool: Annotated[
        str, typer.Option(metavar="N|all|FILE", help="How many to sample, the whole space, or a CSV of choices.")
    ] = "100000",
    top: Annotated[int, typer.Option(min=1, max=100_000, help="How many to show.")] = 10,
    where: Annotated[
        str | None, typer.Option(help="Limits on costs: 'n_params<2e5 and macs<=30M'; every row shown keeps them.")
    ] = None,
    extra: Extra = None,
    predictor: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A predictor saved by gnas fit, instead of fitting one.")
    ] = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV or JSON file to write; by default screen.csv.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rank architectures that nobody has trained, and say how far to believe it.

    The first line tells how the predictor does on held-out labels. Exit code 8: it is no better than chance, the
    parameter count or the best cheap feature; the ranking is written all the same.
    """
    from gnas.cli.bar import Bar
    from gnas.screening.result import as_json as plain
    from gnas.screening.result import write_top
    from gnas.screening.work import screen_request

    with Bar(quiet=as_json) as bar:
        fitted, found = screen_request(
            source_of(folder, space, evaluations, metric, larger, extra),
            pool=pool,
            top=top,
            where=where,
            predictor=predictor,
            seed=seed,
            told=bar.update,
        )
    path = out or (folder or Path()) / "screen.csv"
    write_top(found, path, tuple(choice.name for choice in fitted.labels.space.choices))
    if as_json:
        print_json({**plain(found), "file": str(path)})
    else:
        typer.echo(describe(fitted, found))
        typer.echo(f"wrote {path}")
    if not found.honesty.better:
        raise typer.Exit(NOT_BETTER)


def describe(fitted: Fitted, found: Screening) -> str:
    """The screening as text."""
    from gnas.report.text import duration

    pool = found.pool
    rate = pool.distinct / max(pool.seconds, 1e-9)
    lines = [
        f"pool: {pool.drawn:,} {'drawn' if pool.kind == 'sample' else 'read'}, {pool.distinct:,} new ones screened in "
        f"{duration(pool.seconds)} ({rate:,.0f}/s)"
    ]
    if pool.student_tau is not None:
        lines[0] += (
            f"; all by a student of the predictor (rank correlation with it {pool.student_tau:.2f}), "
            f"the best {pool.exact:,} by the predictor"
        )
    lines.append(f"{pool.beating:,} have a 90 % interval that reaches beyond the best label")
    if found.conditions:
        counted = f", {pool.counted:,} networks counted" if pool.counted else ""
        lines.append(f"where {' and '.join(found.conditions)}: {pool.kept:,} may keep it{counted}")
    lines += [f"note: {remark}" for remark in found.remarks]
    parts = [
        found.honesty.sentence(),
        held_out(fitted) + "\n" + told_labels(fitted.labels),
        "\n".join(lines),
        _top(found),
    ]
    return "\n\n".join(parts)


def _top(found: Screening) -> str:
    from gnas.report.text import cost, label, number

    counted = list(dict.fromkeys(name for c in found.top for name in c.costs))
    estimated = list(dict.fromkeys(name for c in found.top for name in c.estimates))
    head = ["rank", found.metric, "90 % interval", *map(label, counted), *(f"{n} (estimated)" for n in estimated)]
    rows = []
    for c in found.top[:_MOST_SHOWN]:
        values = [cost(name, c.costs.get(name)) for name in counted]
        values += [number(c.estimates.get(name)) for name in estimated]
        differs = "–" if c.nearest is None else str(c.nearest)
        rows.append(
            [str(c.rank), _figure(c.mean), f"{_figure(c.low)} to {_figure(c.high)}", *values, differs, c.digest[:8]]
        )
    text = table([*head, "differs in", "digest"], rows, left=0)
    if len(found.top) > _MOST_SHOWN:
        text += f"\n… and {len(found.top) - _MOST_SHOWN:,} more in the file"
    return text + "\ndiffers in: choices that differ from the nearest better-ranked one"


def _figure(value: float) -> str:
    return f"{value:.4g}"
