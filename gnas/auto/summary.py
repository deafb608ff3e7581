"""What the space of a model is, in a sentence and as plain JSON types."""

from __future__ import annotations

from typing import Any

from gnas.auto import words
from gnas.auto.analysis import Analysis
from gnas.auto.results import Results
from gnas.autospace.coverage import Coverage
from gnas.records import to_json


def sentence(cover: Coverage) -> str:
    """What the space is, in one sentence."""
    if cover.count == 1:
        return f"{cover.name} has no sub-network but itself: no part can be removed and no width can shrink."
    parts = [
        words.plural(len(cover.units), "removable part"),
        words.plural(len(cover.bypasses), "bypass", "bypasses"),
        words.plural(len(cover.widths), "width group"),
    ]
    return (
        f"{cover.name} is a space of {words.size_of_space(cover.count)} sub-networks, all of them valid: "
        f"{', '.join(parts)}; {words.share(cover.by_any, cover.n_params)} of its parameters are in reach of a choice."
    )


def caveats(cover: Coverage) -> tuple[str, ...]:
    """What to know beside the sentence."""
    found = []
    if not cover.joins and cover.count > 1:
        found.append("The model is a plain chain without joins: only widths and bypasses can be chosen.")
    if cover.islands:
        found.append(
            f"{words.plural(len(cover.islands), 'submodule')} could not be traced and "
            f"{'stays' if len(cover.islands) == 1 else 'stay'} whole."
        )
    if cover.bypasses:
        found.append("Bypasses change what the model computes: they need training, where removals are exact.")
    return tuple(found)


def as_plain(analysis: Analysis, results: Results | None = None) -> dict[str, Any]:
    """The same, whole, for `--json` and `coverage.json`."""
    timed = analysis.latency
    return {
        "summary": sentence(analysis.coverage),
        "caveats": list(caveats(analysis.coverage)),
        **to_json(analysis.coverage),
        # NOTE: pydantic writes integers as they are; readers with doubles lose digits beyond 2^53, hence the text.
        "count_text": str(analysis.coverage.count),
        "parse_seconds": round(analysis.seconds, 3),
        "latency": None if timed is None else to_json(timed),
        "fingerprint": analysis.space.fingerprint,
        **({} if results is None else {"results": {**to_json(results), "on_front": list(results.on_front())}}),
    }
