"""`gnas plan`: check everything before a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnas.cli.guard import hear_interrupts
from gnas.cli.output import print_json, table

if TYPE_CHECKING:
    from gnas.plan import PlanReport

_MOST_SKIPPED = 10


def plan(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The spec file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    samples: Annotated[int, typer.Option(min=1, help="Architectures to build and run.")] = 6,
    baselines: Annotated[bool, typer.Option(help="Fit the baselines once, to time them and show their marks.")] = True,
) -> None:
    """Check a spec, its data and its space, and estimate how long the run takes. Nothing is written."""
    from gnas.plan import plan as make_plan
    from gnas.problem import load_problem
    from gnas.records import to_json

    problem = load_problem(spec)
    hear_interrupts()
    report = make_plan(problem, samples=samples, baselines=baselines)
    if as_json:
        print_json(to_json(report))
    else:
        typer.echo(describe(report, spec))


def describe(report: PlanReport, spec: Path) -> str:
    """The report as text."""
    return "\n\n".join([_data(report), _space(report), _baselines(report), _time(report), _end(report, spec)])


def _data(report: PlanReport) -> str:
    data = report.data
    lines = [f"data: {data.rows:,} rows read, {data.used:,} used"]
    lines.append("  " + ", ".join(f"{part} {count:,}" for part, count in data.parts.items()))
    lines += [f"  {name}: {text}" for name, text in data.facts.items()]
    lines += [f"  {note}" for note in data.notes]
    lines += [f"  left out: {place}: {reason}" for place, reason in data.skipped[:_MOST_SKIPPED]]
    if len(data.skipped) > _MOST_SKIPPED:
        lines.append(f"  … and {len(data.skipped) - _MOST_SKIPPED:,} more rows left out (see --json)")
    return "\n".join(lines)


def _space(report: PlanReport) -> str:
    from gnas.evaluation import FREE_COSTS
    from gnas.report.text import cost, duration

    lines = [f"space: {report.space}, {report.choices} choices, {report.space_size:,} assignments"]
    fit = report.feasibility
    if fit.sampled:
        lines.append(f"  constraints: {fit.feasible} of {fit.sampled} sampled architectures keep them")
    rows = [
        [
            check.digest[:8],
            *(cost(name, check.costs[name]) if name in check.costs else "" for name in FREE_COSTS),
            "" if check.epoch_seconds is None else duration(check.epoch_seconds),
        ]
        for check in report.samples
    ]
    tried = any(check.epoch_seconds is not None for check in report.samples)
    lines.append("  built and run forward and backward:" if tried else "  sampled:")
    lines.append(_indent(table(["sample", "parameters", "MACs", "memory", "epoch"], rows)))
    return "\n".join(lines)


def _baselines(report: PlanReport) -> str:
    from gnas.report.text import number

    lines = [f"objective: {report.objective} ({report.direction})"]
    lines += [
        f"  {name} on validation: {report.objective} {number(metrics.get(report.objective))}"
        for name, metrics in report.baselines.items()
        if metrics
    ]
    return "\n".join(lines)


def _time(report: PlanReport) -> str:
    from gnas.report.text import duration

    estimate = report.estimate
    parts = {
        "search": estimate.search_seconds,
        "random search": estimate.random_search_seconds,
        "finals": estimate.finals_seconds,
        "baselines": estimate.baselines_seconds,
    }
    inside = ", ".join(f"{name} {duration(seconds)}" for name, seconds in parts.items() if seconds != 0.0)
    total, trial = duration(estimate.total_seconds), duration(estimate.trial_seconds)
    return f"time: at most about {total} ({inside}; one trial {trial})"


def _end(report: PlanReport, spec: Path) -> str:
    lines = [f"warning: {warning}" for warning in report.warnings]
    return "\n".join([*lines, f"next: gnas run {spec}"])


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
