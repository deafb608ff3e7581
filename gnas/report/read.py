"""Reading a run folder, finished or not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gnas.errors import GnasError, StudyError
from gnas.evaluation import Constraint, Direction, Evaluation, Objective
from gnas.ledger import LEDGER
from gnas.records import from_json
from gnas.report.progress import COSTS
from gnas.report.record import RunRecord
from gnas.results import FinalRow, RunResults
from gnas.study import JOURNAL, read_evaluations

if TYPE_CHECKING:
    from gnas.space.protocol import Space

RESULTS, FINALS, SPEC = "results.json", "finals.jsonl", "spec.yaml"
_METRICS_MAXIMISED = {"auroc", "auprc", "accuracy", "r2", "spearman", "f1"}


def read_run(out: Path) -> RunRecord:
    """Everything a report is made from.

    Raises:
        StudyError: `out` is no run folder, or its journal or results are damaged.
    """
    _require(out)
    remarks: list[str] = []
    spec_text = _text(out / SPEC)
    spec = _mapping(spec_text)
    storage = spec.get("storage")
    place = storage if isinstance(storage, str) else out / JOURNAL
    studies = {name: read_evaluations(place, name) for name in ("search", "random", "ablation")}
    facts = _facts(out)
    finished = _results(out)
    objective = _objective(finished, facts, spec, studies["search"])
    results = finished or _partial(out, facts, objective, remarks)
    return RunRecord(
        name=str(spec.get("name") or out.resolve().name),
        folder=out.resolve().name,
        objective=objective,
        results=results,
        complete=finished is not None,
        constraints=_constraints(spec),
        search=studies["search"],
        random=studies["random"],
        ablation=studies["ablation"],
        space=_space(spec, facts, results, out, remarks),
        spec_text=spec_text,
        remarks=tuple(remarks),
    )


def _require(out: Path) -> None:
    if not out.is_dir():
        raise StudyError(
            "no such run folder", place=str(out), remedy="name the folder given to: gnas run SPEC --out DIR"
        )
    if not any((out / name).is_file() for name in (JOURNAL, SPEC, RESULTS)):
        raise StudyError(
            "no run folder",
            place=str(out),
            accepted=f"a folder with {SPEC} and {JOURNAL}",
            remedy="make one with: gnas run SPEC --out DIR",
        )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _mapping(text: str) -> Mapping[str, Any]:
    """A spec as plain values; a report needs no more of it, and a spec edited into nonsense hides no results."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return values if isinstance(values, dict) else {}


def _results(out: Path) -> RunResults | None:
    path = out / RESULTS
    if not path.is_file():
        return None
    try:
        return RunResults.from_json(path.read_bytes())
    except ValueError as error:
        raise StudyError(
            f"cannot be read ({error})", place=str(path), remedy="remove it and start the same gnas run again"
        ) from error


def _facts(out: Path) -> Mapping[str, Any]:
    """The ledger of the run: stages, CPU seconds, energy, facts; empty where it cannot be read."""
    try:
        values = json.loads(_text(out / LEDGER) or "{}")
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _partial(out: Path, ledger: Mapping[str, Any], objective: Objective, remarks: list[str]) -> RunResults:
    """What an interrupted run has: its final rows so far, and what its ledger says."""
    joules = ledger.get("joules")
    return RunResults(
        objective=objective.name,
        direction=objective.direction,
        finals=_finals(out / FINALS, remarks),
        chosen="",
        stages={str(k): float(v) for k, v in dict(ledger.get("stages") or {}).items()},
        cpu_seconds=float(ledger.get("cpu_seconds") or 0.0),
        energy_kwh=joules / 3.6e6 if isinstance(joules, int | float) else None,
    )


def _finals(path: Path, remarks: list[str]) -> tuple[FinalRow, ...]:
    rows: list[FinalRow] = []
    lost = 0
    for line in _text(path).splitlines():
        try:
            rows.append(from_json(FinalRow, line))
        except ValueError:
            lost += 1
    if lost:
        remarks.append(f"{lost} line(s) of {path.name} could not be read; continuing the run makes them again.")
    return tuple(rows)


def _objective(
    results: RunResults | None, ledger: Mapping[str, Any], spec: Mapping[str, Any], search: tuple[Evaluation, ...]
) -> Objective:
    if results is not None:
        direction: Direction = "maximize" if results.direction == "maximize" else "minimize"
        return Objective(results.objective, direction)
    facts = ledger.get("facts")
    named = facts.get("objective") if isinstance(facts, dict) else None
    if isinstance(named, dict) and named.get("direction") in ("minimize", "maximize"):
        return Objective(str(named.get("name")), named["direction"])
    metrics = [name for e in search for name in e.values if name not in COSTS and e.status == "ok"]
    name = str(spec.get("metric") or (metrics[0] if metrics else "objective"))
    return Objective(name, "maximize" if name.lower() in _METRICS_MAXIMISED else "minimize")


def _constraints(spec: Mapping[str, Any]) -> tuple[Constraint, ...]:
    limits = spec.get("constraints")
    if not isinstance(limits, dict):
        return ()
    return tuple(Constraint(str(k), float(v)) for k, v in limits.items() if isinstance(v, int | float))


def _space(
    spec: Mapping[str, Any], ledger: Mapping[str, Any], results: RunResults, out: Path, remarks: list[str]
) -> Space | None:
    """The space by the name in the spec, or the one the run chose where the spec names none."""
    from gnas.space import load_space

    facts = ledger.get("facts")
    named = (
        spec.get("space") or (facts.get("space") if isinstance(facts, dict) else None) or results.protocol.get("space")
    )
    name, restrict = (named.get("name"), named.get("restrict")) if isinstance(named, dict) else (named, None)
    if not isinstance(name, str):
        remarks.append("The folder does not say which space was searched, so architectures are not drawn.")
        return None
    values = {str(k): tuple(v) for k, v in restrict.items()} if isinstance(restrict, dict) else None
    try:
        return load_space(str(out / name) if (out / name).is_file() else name, restrict=values)
    except GnasError as error:
        remarks.append(f"The space {name} could not be read, so architectures are not drawn: {error}")
        return None
