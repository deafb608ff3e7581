"""Means over seeds and paired differences, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from contest.runs import DEFAULT, ENSEMBLE, FINALIST, RANDOM, RANDOM_ENSEMBLE, Played

OURS = (FINALIST, ENSEMBLE)
SEARCHLESS = (DEFAULT, RANDOM, RANDOM_ENSEMBLE)


def summarise(name: str, played: Sequence[Played]) -> dict[str, Any]:
    """Test values and paired gains of a problem; positive ones are ours. The better baseline is so in the mean."""
    sign = 1.0 if played[0].larger else -1.0
    names = [n for n in played[0].values if all(n in run.values for run in played)]
    columns = {n: [float(run.values[n]) for run in played] for n in names}
    baselines = [n for n in names if n not in (*OURS, *SEARCHLESS)]
    best = max(baselines, key=lambda n: sign * fmean(columns[n]), default="")
    pairs = {
        "finalist - better baseline": (FINALIST, best),
        "ensemble - better baseline": (ENSEMBLE, best),
        "finalist - random search": (FINALIST, RANDOM),
        "ensemble - random ensemble": (ENSEMBLE, RANDOM_ENSEMBLE),
        "finalist - default network": (FINALIST, DEFAULT),
    }
    gains = {
        label: spread([sign * (a - b) for a, b in zip(columns[ours], columns[theirs], strict=True)])
        for label, (ours, theirs) in pairs.items()
        if ours in columns and theirs in columns
    }
    macs = {n: fmean(run.macs[n] for run in played) for n in names if all(n in run.macs for run in played)}
    return {
        "name": name,
        "metric": played[0].metric,
        "seeds": len(played),
        "better_baseline": best,
        "test": {n: spread(values) for n, values in columns.items()},
        "macs": macs,
        "per_seed": columns,
        "gains": gains,
        "seconds": [run.seconds for run in played],
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean and its standard error."""
    error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return {"mean": fmean(values), "se": error}


def tables(summaries: Sequence[Mapping[str, Any]]) -> str:
    """Test values, then gains."""
    names = list(dict.fromkeys(n for row in summaries for n in row["test"]))
    values = [
        [f"{row['name']} ({row['metric']})", *(_cell(row["test"].get(n), row["macs"].get(n)) for n in names)]
        for row in summaries
    ]
    labels = list(dict.fromkeys(label for row in summaries for label in row["gains"]))
    gains = [
        [f"{row['name']} (baseline: {row['better_baseline']})", *(_gain(row["gains"].get(label)) for label in labels)]
        for row in summaries
    ]
    return "\n\n".join(
        [_table(["problem (metric)", *names], values), _table(["gain, positive is ours", *labels], gains)]
    )


def _cell(value: Mapping[str, float] | None, macs: float | None) -> str:
    if value is None:
        return ""
    return f"{value['mean']:.3f} ± {value['se']:.3f}" + ("" if macs is None else f", {macs / 1e6:.2g} M")


def _gain(value: Mapping[str, float] | None) -> str:
    return "" if value is None else f"{value['mean']:+.3f} ± {value['se']:.3f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))
