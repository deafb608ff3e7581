"""Which choices mattered: importance from the evaluated architectures, and the mean value under each option."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gnas.architecture import Scalar, Value
from gnas.evaluation import Evaluation, Objective
from gnas.report.compare import Spread, spread
from gnas.report.progress import good
from gnas.report.text import choice_value

_FEWEST = 10
_TREES = 24
_MOST_CHOICES = 48
_INACTIVE = "(inactive)"


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one choice contributed.

    Attributes:
        name: The choice.
        importance: Its share of the variance that single choices explain, 0 to 1.
        options: Spread of the objective over the evaluations under each value it took, best mean first.
    """

    name: str
    importance: float
    options: tuple[tuple[str, Spread], ...]


@dataclass(frozen=True, slots=True)
class Importances:
    """Contributions, the most important first, or a message why there are none.

    Attributes:
        method: How they were computed.
        n: Evaluations used.
    """

    method: str
    n: int
    contributions: tuple[Contribution, ...] = ()
    message: str = ""


def importances(evaluations: Sequence[Evaluation], objective: Objective, *, seed: int = 0) -> Importances:
    """Functional-ANOVA importances of the choices (Optuna's evaluator), conditional choices included.

    A choice that is inactive in an architecture counts as taking the extra value `(inactive)`, so that conditional
    choices can be weighed beside the others.

    Args:
        evaluations: Of the search, and of random search where it was run: both draw from the same space.
        objective: What was optimised.
        seed: Of the forest.

    Source:
        Hutter, Hoos, Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014.
    """
    members = list({e.digest: e for e in good(evaluations, objective)}.values())
    tables = [{name: _plain(value) for name, value in e.assignment} for e in members]
    names = list(dict.fromkeys(name for table in tables for name in table))
    varied = [name for name in names if len({table.get(name, _INACTIVE) for table in tables}) > 1]
    values = [e.values[objective.name] for e in members]
    method = f"functional ANOVA over {len(members)} evaluated architectures"
    if len(members) < _FEWEST:
        text = f"Importance needs at least {_FEWEST} architectures that were evaluated well; there are {len(members)}."
        return Importances(method, len(members), message=text)
    if not varied or max(values) == min(values):
        return Importances(
            method, len(members), message="Importance is undefined: nothing varied among the evaluations."
        )
    try:
        weights = _fanova(tables, _widest(varied, tables, values), values, seed)
    except RuntimeError as error:
        return Importances(method, len(members), message=f"Importance is undefined: {error}")
    found = [Contribution(name, weight, _options(name, tables, values, objective)) for name, weight in weights.items()]
    return Importances(method, len(members), tuple(sorted(found, key=lambda c: -c.importance)))


def _fanova(
    tables: Sequence[Mapping[str, Scalar]], names: Sequence[str], values: Sequence[float], seed: int
) -> dict[str, float]:
    import optuna

    options = {name: sorted({str(t.get(name, _INACTIVE)) for t in tables}) for name in names}
    distributions = {name: optuna.distributions.CategoricalDistribution(found) for name, found in options.items()}
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
        study.add_trials(
            [
                optuna.trial.create_trial(
                    params={name: str(table.get(name, _INACTIVE)) for name in names},
                    distributions=distributions,
                    value=value,
                )
                for table, value in zip(tables, values, strict=True)
            ]
        )
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=_TREES, seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return {name: float(weight) for name, weight in found.items() if math.isfinite(weight)}


def _widest(names: Sequence[str], tables: Sequence[Mapping[str, Scalar]], values: Sequence[float]) -> list[str]:
    """At most `_MOST_CHOICES` choices, those whose options differ most in mean; a forest over hundreds is slow."""
    if len(names) <= _MOST_CHOICES:
        return list(names)
    centre = sum(values) / len(values)

    def between(name: str) -> float:
        groups: dict[Scalar, list[float]] = {}
        for table, value in zip(tables, values, strict=True):
            groups.setdefault(table.get(name, _INACTIVE), []).append(value)
        return sum(len(g) * (sum(g) / len(g) - centre) ** 2 for g in groups.values())

    return sorted(names, key=between, reverse=True)[:_MOST_CHOICES]


def _options(
    name: str, tables: Sequence[Mapping[str, Scalar]], values: Sequence[float], objective: Objective
) -> tuple[tuple[str, Spread], ...]:
    groups: dict[str, list[float]] = {}
    for table, value in zip(tables, values, strict=True):
        groups.setdefault(str(table.get(name, _INACTIVE)), []).append(value)
    spreads = [(option, spread(found)) for option, found in groups.items()]
    return tuple(sorted(spreads, key=lambda pair: -objective.sign() * pair[1].mean))


def _plain(value: Value) -> str:
    return choice_value(value)
