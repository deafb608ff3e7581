"""Search algorithms, one file each, behind the `Searcher` protocol. Each is imported only when it is made."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from gnas.errors import SpecError
from gnas.searchers.options import from_options

if TYPE_CHECKING:
    from gnas.searchers.protocol import Searcher

__all__ = ["ALGORITHMS", "make_searcher"]

_CLASSES = {
    "bayes": ("gnas.searchers.bayes", "BayesianOptimisation"),
    "evolution": ("gnas.searchers.regularized_evolution", "RegularizedEvolution"),
    "local": ("gnas.searchers.local_search", "LocalSearch"),
    "nsga2": ("gnas.searchers.optuna_samplers", "OptunaNsga2"),
    "random": ("gnas.searchers.random_search", "RandomSearch"),
    "tpe": ("gnas.searchers.optuna_samplers", "OptunaTpe"),
}

ALGORITHMS: tuple[str, ...] = tuple(_CLASSES)
"""Names that `make_searcher` accepts, sorted."""


def make_searcher(algorithm: str, options: Mapping[str, object] | None = None) -> Searcher:
    """The searcher a spec names, with its options checked.

    Raises:
        SpecError: Unknown algorithm, unknown option, or an option of the wrong type or out of range.
    """
    if algorithm not in _CLASSES:
        near = difflib.get_close_matches(algorithm, ALGORITHMS, n=1)
        raise SpecError(
            "unknown search algorithm",
            place="search.algorithm",
            value=algorithm,
            accepted=", ".join(ALGORITHMS),
            remedy=f"did you mean {near[0]!r}?" if near else None,
        )
    module, name = _CLASSES[algorithm]
    searcher: Searcher = from_options(getattr(import_module(module), name), options or {})
    return searcher
