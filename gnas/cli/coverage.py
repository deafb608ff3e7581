"""The coverage of a model's space as text for the terminal."""

from __future__ import annotations

from gnas.auto import words
from gnas.auto.analysis import Analysis
from gnas.auto.results import Results
from gnas.auto.summary import caveats, sentence
from gnas.autospace.coverage import Coverage, UnitCover
from gnas.cli.output import table
from gnas.report.text import cost, duration, number, shorten

_MOST = 12


def as_text(analysis: Analysis, results: Results | None = None) -> str:
    """What a user reads in the terminal."""
    cover = analysis.coverage
    head = [
        sentence(cover),
        *caveats(cover),
        f"parsed in {duration(analysis.seconds)}: {cover.operations:,} operations, {cover.segments:,} segments, "
        f"{cover.joins:,} joins",
    ]
    if results is not None:
        return "\n\n".join(["\n".join(head), _results(results)])
    parts = ["\n".join(head), _shares(analysis), _units(cover), _widths(cover), _still(cover), _blocked(cover)]
    return "\n\n".join([*(part for part in parts if part), *(f"note: {note}" for note in cover.notes)])


def _results(results: Results) -> str:
    whole = results.whole.costs
    rows = [
        [
            point.name,
            number(point.score),
            f"{cost('n_params', point.costs['n_params'])} ({words.share(point.costs['n_params'], whole['n_params'])})",
            f"{cost('macs', point.costs['macs'])} ({words.share(point.costs['macs'], whole['macs'])})",
            words.share(point.costs["latency_share"], 1.0) if "latency_share" in point.costs else "",
            str(point.epochs),
            "yes" if front else "",
        ]
        for point, front in zip(results.points, results.on_front(), strict=True)
    ]
    lines = [table(["network", results.metric, "parameters", "MACs", "latency", "epochs", "on the front"], rows)]
    for outcome in results.outcomes:
        proved = " and ".join(outcome.shapes_proved) or "no"
        lines.append(
            f"{outcome.reduction}: in {outcome.folder}/, shapes proved: {proved}, differs by {outcome.zero_error:.1e} "
            "from the original with the removed parts set to zero"
        )
        lines += [f"  warning: {warning}" for warning in outcome.warnings]
    return "\n".join(lines)


def _shares(analysis: Analysis) -> str:
    cover, timed = analysis.coverage, analysis.latency
    rows = [
        [
            "parameters",
            cost("n_params", cover.n_params),
            words.share(cover.by_depth, cover.n_params),
            words.share(cover.by_width, cover.n_params),
            words.share(cover.by_any, cover.n_params),
            words.share(cover.least, cover.n_params),
        ]
    ]
    rows.append(["MACs", cost("macs", cover.macs), "", "", "", words.share(cover.least_macs, cover.macs)])
    if timed is not None:
        name = f"latency ({timed.runtime})"
        rows.append([name, cost("latency_ms", timed.whole_ms), "", "", "", words.share(timed.share, 1.0)])
    return table(["", "whole model", "in reach of depth", "of width", "of any", "smallest sub-network"], rows)


def _units(cover: Coverage) -> str:
    lines = _list("can be removed", [_unit(u) for u in cover.units])
    if cover.forced:
        lines += f"\n  ({words.plural(len(cover.forced), 'other join operand')} cannot: all outputs need them)"
    bypasses = _list("can be passed by", [_unit(u) for u in cover.bypasses])
    return "\n".join(part for part in (lines, bypasses) if part)


def _unit(unit: UnitCover) -> str:
    with_it = f", {words.amount(unit.n_params)} parameters" if unit.n_params else ""
    return f"{unit.name}{f'  ({unit.source})' if unit.source else ''}{with_it}"


def _widths(cover: Coverage) -> str:
    return _list("widths", [f"{w.name}: {w.least} to {w.size} channels" for w in cover.widths])


def _still(cover: Coverage) -> str:
    rows = [
        f"{s.module or 'the model'}: {words.amount(s.n_params)} parameters "
        f"({words.share(s.n_params, cover.n_params)}); {shorten('; '.join(s.reasons), 300)}"
        for s in cover.still
    ]
    islands = [f"{name} ({kind}): {reason}" for name, kind, reason in cover.islands]
    found = [_list("could not be traced", islands), _list("not searchable", rows)]
    return "\n".join(part for part in found if part)


def _blocked(cover: Coverage) -> str:
    rows = [
        f"{b.op}{f' in {b.module}' if b.module else ''}{f' ({b.source})' if b.source else ''}: "
        f"{words.plural(b.channels, 'channel')}; {b.reason}"
        for b in cover.blocked
    ]
    return _list("what keeps channels whole", rows)


def _list(title: str, rows: list[str]) -> str:
    if not rows:
        return ""
    lines = [f"{title}:", *(f"  {row}" for row in rows[:_MOST])]
    return "\n".join([*lines, *([f"  … and {len(rows) - _MOST:,} more (see --json)"] if len(rows) > _MOST else [])])
