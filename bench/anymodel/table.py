"""Findings about models as text."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
"""Fields of `Ours` or `Peer` by name."""


def ours_table(rows: Sequence[Row]) -> str:
    """A line a model, then what went wrong."""
    head = "| model | s | CPU s | units | bypasses | widths | choices | log10 size | smallest | ran | equal | worst |"
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    for row in rows:
        if math.isnan(row["seconds"]):
            lines.append(f"| {row['name']} | {row['error']} |" + " |" * 10)
            continue
        cells = [
            row["name"],
            f"{row['seconds']:.1f}",
            f"{row['cpu_seconds']:.1f}",
            *(str(row[key]) for key in ("units", "bypasses", "widths", "choices")),
            f"{row['log10_size']:.1f}",
            f"{row['smallest']:.2f}",
            f"{row['ran']}/{row['tried']}" + ("" if row["size_tried"] else " (one size)"),
            f"{row['equal']}/{row['tried']}",
            f"{row['worst']:.0e}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
        if row["error"]:
            lines.append(f"| … | {row['error']} |" + " |" * 10)
    faults = [f"{row['name']}: {count} times {fault}" for row in rows for fault, count in row["faults"]]
    return "\n".join([*lines, *faults])


def summary(rows: Sequence[Row]) -> str:
    """Counts, medians and maxima."""
    parsed = [row for row in rows if not math.isnan(row["seconds"])]
    sound = [row for row in parsed if not row["error"] and row["tried"] == row["ran"] == row["equal"]]
    tried, ran, equal = (sum(row[key] for row in rows) for key in ("tried", "ran", "equal"))
    lines = [
        f"{len(parsed)} of {len(rows)} models have a space, {sum(row['choices'] > 0 for row in parsed)} with a choice; "
        f"of {len(sound)} every sub-network tried is sound",
        f"{tried} sub-networks: {ran} ran, {equal} equal the masked original; "
        f"worst difference {max((row['worst'] for row in parsed), default=math.nan):.1e}",
    ]
    if parsed:
        for key, name in (
            ("seconds", "seconds to a space"),
            ("cpu_seconds", "CPU seconds to a space"),
            ("choices", "choices"),
            ("log10_size", "log10 of the size"),
        ):
            values = [row[key] for row in parsed]
            lines.append(f"{name}: median {statistics.median(values):.1f}, largest {max(values):.1f}")
    return "\n".join(lines)


def peer_table(bare: Sequence[Row], hinted: Sequence[Row]) -> str:
    """What the peer made of each model, without hints and with them."""
    lines = ["| model | Torch-Pruning, no hints | with hints |", "|---|---|---|"]
    lines += [f"| {a['name']} | {_verdict(a)} | {_verdict(b)} |" for a, b in zip(bare, hinted, strict=True)]
    for rows, name in ((bare, "no hints"), (hinted, "with hints")):
        works, everywhere = (sum(row) for row in zip(*((not r["error"], r["everywhere"]) for r in rows), strict=True))
        lines.append(f"Torch-Pruning, {name}: works on {works} of {len(rows)}, everywhere on {everywhere}")
    return "\n".join(lines)


def _verdict(row: Row) -> str:
    if row["error"]:
        return str(row["error"])[:80].replace("|", "/")
    return f"{row['share']:.2f} of the parameters{'' if row['everywhere'] else ', not everywhere'}"
