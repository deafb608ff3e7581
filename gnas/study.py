"""The study: everything evaluated so far, on Optuna's storage, written as it happens.

Each evaluation is one finished Optuna trial, written whole: choices are its parameters (categorical), the objective its
value, the curve its intermediate values, everything else its user attributes. So Optuna's dashboard, importances and
samplers work on a gnas study as it is.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from gnas.architecture import Architecture, Value
from gnas.errors import StudyError
from gnas.evaluation import FREE_COSTS, Constraint, Evaluation, Objective
from gnas.journal import repair_journal
from gnas.runfolder import os_trouble
from gnas.space.protocol import Choice, Space

__all__ = ["JOURNAL", "Costs", "Facts", "Study", "exceeded", "open_storage", "read_evaluations", "read_facts"]

JOURNAL = "study.journal"
_FACTS = "gnas"
_STATES = {"ok": TrialState.COMPLETE, "failed": TrialState.FAIL, "infeasible": TrialState.FAIL}

Facts = Mapping[str, object]
Costs = Callable[[Architecture], Mapping[str, float]]

logging.getLogger("optuna").setLevel(logging.WARNING)


def open_storage(place: Path | str) -> tuple[BaseStorage, str]:
    """Optuna's storage: a journal file for a path, whatever Optuna knows for a URL.

    Returns:
        The storage, and a line about repairs made to a journal (empty if none were).

    Raises:
        StudyError: The journal is damaged or cannot be written, or the URL cannot be opened.
    """
    with _quiet():
        if isinstance(place, Path):
            note = repair_journal(place)
            return _journal(place), note
        try:
            return optuna.storages.get_storage(place), ""
        except Exception as error:
            raise StudyError(
                f"the storage cannot be opened ({type(error).__name__}: {error})",
                place="storage",
                value=place,
                accepted="a URL such as sqlite:///study.db or postgresql://user@host/database",
            ) from error


def _journal(path: Path) -> BaseStorage:
    try:
        return JournalStorage(JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path))))
    except OSError as error:
        raise os_trouble(error, path, "") from error


def read_evaluations(storage: BaseStorage | Path | str, name: str = "search") -> tuple[Evaluation, ...]:
    """All evaluations of a study by number, without its space; empty if there is no such study.

    Args:
        storage: A storage, a journal file (read as it is, up to its last whole record), or a URL.
        name: `search` or `random`.

    Raises:
        StudyError: The journal is damaged, or holds something else.
    """
    with _found(storage, name) as found:
        return () if found is None else tuple(_evaluations(*found))


def read_facts(storage: BaseStorage | Path | str, name: str = "search") -> Facts:
    """The facts a study was made with (`objective`, `space`, …); empty if there is no such study.

    Args:
        storage, name: As for `read_evaluations`.

    Raises:
        StudyError: The journal is damaged.
    """
    with _found(storage, name) as found:
        held = {} if found is None else found[0].get_study_user_attrs(found[1]).get(_FACTS)
    return held if isinstance(held, dict) else {}


@contextmanager
def _found(storage: BaseStorage | Path | str, name: str) -> Iterator[tuple[BaseStorage, int] | None]:
    """A storage opened for reading and the identifier of the study in it; None if there is no such study."""
    if isinstance(storage, Path) and not storage.exists():
        yield None
        return
    with _quiet():
        try:
            opened = _reader(storage) if isinstance(storage, Path | str) else storage
            found = opened, opened.get_study_id_from_name(name)
        except KeyError:
            found = None
        except ValueError as error:
            raise StudyError(
                "the journal is damaged", place=str(storage), remedy="gnas run on its folder repairs a broken tail"
            ) from error
        yield found


def _reader(place: Path | str) -> BaseStorage:
    return _journal(place) if isinstance(place, Path) else optuna.storages.get_storage(place)


class Study:
    """A study as searchers see it (`StudyView`) and as the run loop writes it.

    Args:
        space: The search space.
        objective: What the search optimises.
        constraints: Upper limits.
        storage: From `open_storage`.
        name: Name of the study in the storage.
        facts: What must be the same to continue it, name to JSON value (`{"space": fingerprint, "recipe": {…}}`).
        costs: Counts what is free to count (`n_params`, `macs`, `memory_bytes`); None counts nothing.
        place: How messages name the study.

    Raises:
        StudyError: The storage holds a study of this name made with other facts.
    """

    def __init__(
        self,
        space: Space,
        objective: Objective,
        constraints: Sequence[Constraint],
        *,
        storage: BaseStorage,
        name: str = "search",
        facts: Facts | None = None,
        costs: Costs | None = None,
        place: Path | str = "",
    ) -> None:
        self._space, self._objective, self._constraints = space, objective, tuple(constraints)
        self._storage, self._name, self._place = storage, name, place
        self._costs_of = costs
        self._costs: dict[str, tuple[dict[str, float], str]] = {}
        self._limited = any(constraint.name in FREE_COSTS for constraint in self._constraints)
        self._pending: dict[str, tuple[Architecture, int]] = {}
        self._distributions = {choice.name: _distribution(choice) for choice in space.choices}
        self._evaluations: list[Evaluation] = []
        with self._writing():
            self._study_id = self._open(dict(facts or {}))
        self._evaluations = list(_evaluations(storage, self._study_id))
        self._digests = {evaluation.digest for evaluation in self._evaluations}

    @property
    def space(self) -> Space:
        """The search space."""
        return self._space

    @property
    def objective(self) -> Objective:
        """What the search optimises."""
        return self._objective

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """Upper limits."""
        return self._constraints

    @property
    def evaluations(self) -> Sequence[Evaluation]:
        """All recorded evaluations by number, failed ones included."""
        return self._evaluations

    @property
    def pending(self) -> Sequence[Architecture]:
        """Asked for and not yet recorded."""
        return tuple(architecture for architecture, _ in self._pending.values())

    def known(self, digest: str) -> bool:
        """Whether it was evaluated or is pending."""
        return digest in self._digests or digest in self._pending

    def infeasible(self, architecture: Architecture) -> str:
        """Why a constraint that is free to check refuses it; empty if none does. Cached by digest.

        Nothing is counted where there is no such constraint.
        """
        return self._counted(architecture)[1] if self._limited else ""

    def costs(self, architecture: Architecture) -> dict[str, float]:
        """What is free to count; empty where counting fails, which the evaluation will tell. Cached by digest."""
        return dict(self._counted(architecture)[0])

    def counted(self, architecture: Architecture) -> dict[str, float]:
        """What has been counted already; empty if nothing has."""
        return dict(self._costs.get(architecture.digest, ({}, ""))[0])

    def begin(self, architecture: Architecture, step: int) -> None:
        """Notes an architecture that the `ask` of `step` proposed as pending."""
        self._pending[architecture.digest] = (architecture, step)

    def record(self, evaluation: Evaluation) -> Evaluation:
        """Writes an evaluation, which is on disk when this returns; its number is the next one.

        Raises:
            StudyError: It cannot be written; everything recorded before is kept.
        """
        with self._writing():
            trial_id = self._storage.create_new_trial(self._study_id, template_trial=self._trial(evaluation))
            number = self._storage.get_trial(trial_id).number
        recorded = replace(evaluation, number=number)
        self._evaluations.append(recorded)
        self._digests.add(recorded.digest)
        self._pending.pop(recorded.digest, None)
        return recorded

    def next_step(self) -> int:
        """The smallest step of `ask` with no evaluation and none pending: holes left by a killed run come first."""
        used = {evaluation.step for evaluation in self._evaluations} | {step for _, step in self._pending.values()}
        step = 0
        while step in used:
            step += 1
        return step

    def _counted(self, architecture: Architecture) -> tuple[dict[str, float], str]:
        digest = architecture.digest
        if digest not in self._costs:
            try:
                counted = dict(self._costs_of(architecture)) if self._costs_of is not None else {}
            except Exception:
                counted = {}
            self._costs[digest] = (counted, exceeded(counted, self._constraints))
        return self._costs[digest]

    def _open(self, facts: dict[str, object]) -> int:
        facts = json.loads(json.dumps(facts))
        storage = self._storage
        direction = (
            optuna.study.StudyDirection.MINIMIZE
            if self._objective.direction == "minimize"
            else optuna.study.StudyDirection.MAXIMIZE
        )
        try:
            study_id = storage.get_study_id_from_name(self._name)
        except KeyError:
            study_id = storage.create_new_study([direction], self._name)
        held = storage.get_study_user_attrs(study_id).get(_FACTS)
        if held is None:
            if storage.get_n_trials(study_id):
                raise StudyError(f"study {self._name!r} was not made by gnas", place=str(self._place))
            storage.set_study_user_attr(study_id, _FACTS, facts)
        elif held != facts:
            raise StudyError(
                f"it holds a study of another spec: {'; '.join(_differences(held, facts))}",
                place=str(self._place) or self._name,
                remedy="choose another --out for the changed spec, or change the spec back to continue",
            )
        return int(study_id)

    def _trial(self, evaluation: Evaluation) -> FrozenTrial:
        attributes = evaluation.to_json()
        del attributes["number"], attributes["curve"]
        params = {name: _stored(value) for name, value in evaluation.assignment}
        value = evaluation.values.get(self._objective.name)
        state = _STATES.get(evaluation.status, TrialState.PRUNED)
        trial = optuna.trial.create_trial(
            state=state,
            value=value if state != TrialState.FAIL else None,
            params=params,
            distributions={name: self._distributions[name] for name in params},
            user_attrs=attributes,
            intermediate_values=dict(enumerate(evaluation.curve, start=1)),
        )
        now = datetime.now()
        trial.datetime_complete = now
        trial.datetime_start = now - timedelta(seconds=evaluation.seconds)
        return trial

    @contextmanager
    def _writing(self) -> Iterator[None]:
        done = len(self._evaluations)
        kept = f"everything up to trial {done - 1} is kept" if done else "nothing was recorded yet"
        try:
            with _quiet():
                yield
        except OSError as error:
            raise os_trouble(error, self._place, kept) from error


def exceeded(values: Mapping[str, float], constraints: Sequence[Constraint]) -> str:
    """The constraints that values break, as `n_params 812,000 > 500,000`; empty if they keep all."""
    return "; ".join(
        f"{constraint.name} {values[constraint.name]:,.6g} > {constraint.upper:,.6g}"
        for constraint in constraints
        if constraint.name in values and values[constraint.name] > constraint.upper
    )


def _evaluations(storage: BaseStorage, study_id: int) -> Iterator[Evaluation]:
    for trial in storage.get_all_trials(study_id, deepcopy=False):
        if "digest" not in trial.user_attrs:
            continue  # Enqueued or run by something else than gnas.
        curve = [value for _, value in sorted(trial.intermediate_values.items())]
        try:
            yield Evaluation.from_json({**trial.user_attrs, "number": trial.number, "curve": curve})
        except ValueError as error:
            raise StudyError(f"trial {trial.number} cannot be read: {error}") from error


def _distribution(choice: Choice) -> CategoricalDistribution:
    return CategoricalDistribution([_stored(value) for value in choice.values])


def _stored(value: Value) -> str | int | float | bool | None:
    """A value as Optuna's categories accept it: tuples become their JSON."""
    return json.dumps(value) if isinstance(value, tuple) else value


def _differences(held: object, wanted: object, key: str = "") -> list[str]:
    if isinstance(held, dict) and isinstance(wanted, dict):
        return [
            line
            for name in sorted(held.keys() | wanted.keys())
            for line in _differences(held.get(name), wanted.get(name), f"{key}.{name}" if key else str(name))
        ]
    if held == wanted:
        return []
    return [f"{key} was {_short(held)}, is now {_short(wanted)}"]


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "…"


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
