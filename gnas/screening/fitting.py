"""From labels to a fitted predictor that knows how good it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from platform import python_version
from typing import Any

import numpy as np

from gnas.errors import DataError
from gnas.predictors.protocol import Vector
from gnas.predictors.store import StoredPredictor
from gnas.predictors.warm import WarmStack
from gnas.records import from_json, to_json
from gnas.screening.cheap import cheap_features
from gnas.screening.costs import CostBook
from gnas.screening.honesty import Honesty, assess
from gnas.screening.labels import Labels
from gnas.space.yaml_space import YamlSpace

_PARAMETERS = ("n_params", "params", "parameters")
_PROBED = 16
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "gnas")

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A predictor on all labels, and what is known of it.

    Attributes:
        labels: What it was fitted on.
        model: It.
        honesty: How good it is on held-out labels.
        source: The predictor it was warm-started from, where that helped.
        about: Facts for reports.
        remarks: Worth a line to the user.
    """

    labels: Labels
    model: WarmStack
    honesty: Honesty
    source: StoredPredictor | None
    about: Mapping[str, Any]
    remarks: tuple[str, ...]


def fit_predictor(
    labels: Labels, book: CostBook, *, seed: int, source: StoredPredictor | None = None, told: Told | None = None
) -> Fitted:
    """Fits on all labels, and judges by cross-validation.

    Args:
        labels: Cleaned labels.
        book: Counts parameters, where networks can be built and the labels do not tell.
        seed: Of fit and folds.
        source: A predictor of another space to start from; dropped where cross-validation does not favour it.
        told: Called with fits done and their number.
    """
    total = 1 if source is None else 2
    tell = told or (lambda done, total: None)
    tell(0, total)
    features = {**cheap_features([labels.space.decode(row) for row in labels.codes]), **labels.extra}
    n_params = _parameters(labels, book)

    def fitted(start: StoredPredictor | None) -> tuple[WarmStack, Honesty]:
        model = _stack(labels, seed, start).fit_codes(labels.codes, labels.values, labels.extra_matrix())
        report = model.report
        return model, assess(labels, report.held_out, report.coverage90, features, n_params, seed=seed)

    model, honesty = fitted(None)
    tell(1, total)
    if source is None:
        return Fitted(labels, model, honesty, None, {}, ())
    warm, warm_honesty = fitted(source)
    tell(2, total)
    kept = warm_honesty.predictor.tau > honesty.predictor.tau
    about = {
        "from": source.space.name,
        "metric": source.objective.name,
        "labels": len(source.values),
        "kendall_tau_without": honesty.predictor.tau,
        "kendall_tau_with": warm_honesty.predictor.tau,
        "kept": kept,
    }
    remarks = (_told_warm(about),)
    if kept:
        return Fitted(labels, warm, warm_honesty, source, {"warm_start": about}, remarks)
    return Fitted(labels, model, honesty, None, {"warm_start": about}, remarks)


def stored(fitted: Fitted, seed: int) -> StoredPredictor:
    """What is kept on disk.

    Raises:
        DataError: The space did not come from a definition in YAML.
    """
    labels = fitted.labels
    if not isinstance(labels.space, YamlSpace):
        raise DataError("a predictor of this kind of space cannot be saved yet", value=labels.space.name)
    extra = labels.extra_matrix()
    probe = fitted.model.predict_codes(labels.codes[:_PROBED], None if extra is None else extra[:_PROBED])[0]
    return StoredPredictor(
        labels.space,
        labels.objective,
        labels.codes,
        labels.values,
        labels.extra,
        labels.numbers,
        labels.seen,
        seed,
        {
            "labels": labels_as_json(labels),
            "held_out": to_json(fitted.honesty),
            **fitted.about,
        },
        {"python": python_version(), **{name: version(name) for name in _LIBRARIES}},
        probe,
        fitted.source,
    )


def stored_labels(held: StoredPredictor) -> Labels:
    """The labels of a stored predictor.

    Raises:
        DataError: What it says of them cannot be read.
    """
    try:
        told = held.about["labels"]
        dropped = {str(reason): int(count) for reason, count in told["dropped"].items()}
        merged, source = int(told["merged"]), str(told["source"])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"the predictor does not say where its labels came from ({error})", remedy="make it again with: gnas fit"
        ) from error
    held_columns = held.extra, held.numbers
    return Labels(
        held.space, held.objective, held.codes, held.values, *held_columns, held.seen, dropped, merged, source
    )


def restored(held: StoredPredictor, labels: Labels) -> Fitted:
    """The predictor again, fitted anew on its `stored_labels`.

    Raises:
        DataError: What it says of itself cannot be read.
    """
    try:
        honesty = from_json(Honesty, held.about["held_out"])
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"the predictor does not say how good it is ({error})", remedy="make it again with: gnas fit"
        ) from error
    extra = labels.extra_matrix()
    model = _stack(labels, held.seed, held.source).fit_codes(labels.codes, labels.values, extra)
    k = len(held.probe)
    again = model.predict_codes(labels.codes[:k], None if extra is None else extra[:k])[0]
    drift = float(np.abs(again - held.probe).max(initial=0.0)) / float(np.ptp(labels.values))
    remarks: tuple[str, ...] = ()
    if drift > 1e-6:
        remarks = (
            f"fitted anew, the predictor differs by {drift:.1%} of the labels' range from when it was saved: "
            f"it was made with {_named(held.versions)}",
        )
    about = {name: value for name, value in held.about.items() if name == "warm_start"}
    return Fitted(labels, model, honesty, held.source, about, remarks)


def labels_as_json(labels: Labels) -> dict[str, Any]:
    """Figures of labels as plain values."""
    return {
        "used": len(labels),
        "merged": labels.merged,
        "dropped": dict(labels.dropped),
        "source": labels.source,
        "extra": list(labels.extra),
    }


def _stack(labels: Labels, seed: int, source: StoredPredictor | None) -> WarmStack:
    return WarmStack(labels.space, extra=tuple(labels.extra), seed=seed, source=source)


def _parameters(labels: Labels, book: CostBook) -> Vector | None:
    """Parameter counts of the labelled architectures; None where nobody knows them."""
    for name in _PARAMETERS:
        column = labels.numbers.get(name, labels.extra.get(name))
        if column is not None and np.isfinite(column).all():
            return column
    column = book.column(labels.codes, "n_params")
    return column if np.isfinite(column).all() else None


def _told_warm(about: Mapping[str, Any]) -> str:
    text = (
        f"warm start from {about['from']} ({about['labels']} labels of {about['metric']}): rank correlation on "
        f"held-out labels {about['kendall_tau_with']:.2f} with it, {about['kendall_tau_without']:.2f} without"
    )
    return f"{text}; kept" if about["kept"] else f"{text}; it does not help and was dropped"


def _named(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items()) or "other versions"
