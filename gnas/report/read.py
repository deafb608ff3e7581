"""Reading a run folder, finished or not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gnas.errors import GnasError, StudyError
from gnas.evaluation import Constraint, Objective
from gnas.illustration import Figure, read_figures
from gnas.ledger import LEDGER
from gnas.records import from_json
from gnas.report.compare import objective_of
from gnas.report.record import RunRecord
from gnas.results import RESULTS, FinalRow, RunResults, read_results
from gnas.study import JOURNAL, read_evaluations, read_facts

if TYPE_CHECKING:
    from gnas.space.protocol import Space

FINALS, SPEC = "finals.jsonl", "spec.yaml"


def read_run(out: Path) -> RunRecord:
    """Everything a report is made from.

    Raises:
        StudyError: `out` is no run folder, or its journal or results are damaged.
    """
    _require(out)
    remarks: list[str] = []
    spec_text = _text(out / SPEC)
    spec = _mapping(spec_text)
    place, prefix = _storage(out, spec)
    facts, ledger = read_facts(place, prefix + "search"), _ledger(out)
    finished = read_results(out)
    objective = _objective(finished, facts)
    results = finished or _partial(out, ledger, objective, remarks)
    return RunRecord(
        name=str(spec.get("name") or out.resolve().name),
        folder=out.resolve().name,
        objective=objective,
        results=results,
        complete=finished is not None,
        constraints=_constraints(facts),
        search=read_evaluations(place, prefix + "search"),
        random=read_evaluations(place, prefix + "random"),
        space=_space(spec, facts, Path(_base(ledger) or out), remarks),
        spec_text=spec_text,
        figures=_figures(out, remarks),
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


def _figures(out: Path, remarks: list[str]) -> tuple[Figure, ...]:
    try:
        return read_figures(out)
    except StudyError as error:
        remarks.append(f"The figures of predictions are left out: {error}.")
        return ()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _mapping(text: str) -> Mapping[str, Any]:
    """A spec as plain values; a report needs no more of it, and a spec edited into nonsense hides no results."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return values if isinstance(values, dict) else {}


def _storage(out: Path, spec: Mapping[str, Any]) -> tuple[Path | str, str]:
    """Where the studies are, and what precedes their names there."""
    named = spec.get("storage")
    return (named, f"{spec.get('name', 'run')}/") if isinstance(named, str) else (out / JOURNAL, "")


def _ledger(out: Path) -> Mapping[str, Any]:
    """Stages, CPU seconds, energy and facts of the run; empty where they cannot be read."""
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


def _objective(results: RunResults | None, facts: Mapping[str, object]) -> Objective:
    if results is not None:
        return objective_of(results)
    name, _, direction = str(facts.get("objective") or "objective").rpartition(" ")
    return Objective(name, "maximize") if direction == "maximize" else Objective(name or direction, "minimize")


def _constraints(facts: Mapping[str, object]) -> tuple[Constraint, ...]:
    limits = facts.get("constraints")
    if not isinstance(limits, dict):
        return ()
    return tuple(Constraint(str(name), float(upper)) for name, upper in limits.items())


def _base(ledger: Mapping[str, Any]) -> str:
    """The folder against which the spec's paths are read."""
    facts = ledger.get("facts")
    return str(facts.get("base") or "") if isinstance(facts, dict) else ""


def _space(spec: Mapping[str, Any], facts: Mapping[str, object], base: Path, remarks: list[str]) -> Space | None:
    """The space by the name in the spec, or the domain's default, whose name the study keeps."""
    from gnas.space import load_space

    kept, _, fingerprint = str(facts.get("space") or "").partition(" ")
    named = spec.get("space") or kept
    name, restrict = (named.get("name"), named.get("restrict")) if isinstance(named, dict) else (named, None)
    if not isinstance(name, str) or not name:
        remarks.append("The folder does not say which space was searched, so architectures are not drawn.")
        return None
    source = str(base / name) if name.endswith((".yaml", ".yml")) else name
    values = {str(k): tuple(v) for k, v in restrict.items()} if isinstance(restrict, dict) and restrict else None
    try:
        space = load_space(source, restrict=values)
    except (GnasError, OSError) as error:
        remarks.append(f"The space {name} could not be read, so architectures are not drawn: {error}")
        return None
    if fingerprint and space.fingerprint != fingerprint:
        remarks.append(f"The space {name} has changed since the run, so architectures are not drawn.")
        return None
    return space
