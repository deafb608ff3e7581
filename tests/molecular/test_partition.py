import numpy as np
import pytest
from gnas_molecular.options import Split
from gnas_molecular.partition import partition, scaffold_overlap

from gnas.data.parts import PARTS, Parts
from gnas.errors import DataError

SCAFFOLDS = [f"s{i}" for i in range(100)]


def _labels(positives: list[int]) -> np.ndarray:
    labels = np.zeros((100, 1))
    labels[positives] = 1
    return labels


def _lacking(parts: Parts, labels: np.ndarray) -> list[str]:
    return [part for part in PARTS if len(np.unique(labels[parts.of(part)])) < 2]


def test_a_balanced_split_that_lacks_a_class_is_repaired_aloud() -> None:
    labels = _labels(list(range(0, 100, 9)))
    repaired = 0
    for seed in range(20):
        parts, _, warnings = partition(100, SCAFFOLDS, labels, "binary", Split(seed=seed), None)
        assert not _lacking(parts, labels)
        first = any("was used instead" in warning for warning in warnings)
        again, _, _ = partition(
            100, SCAFFOLDS, np.random.default_rng(0).normal(size=(100, 1)), "regression", Split(seed=seed), None
        )
        assert first == bool(_lacking(again, labels))
        repaired += first
    assert 0 < repaired < 20


def test_a_class_that_cannot_be_in_every_part_is_a_warning() -> None:
    _, _, warnings = partition(100, SCAFFOLDS, _labels([3]), "binary", Split(), None)
    assert sum("one class only" in warning for warning in warnings) == 2


def test_small_parts_are_warned_of() -> None:
    _, _, warnings = partition(100, SCAFFOLDS, np.zeros((100, 1)), "regression", Split(kind="random"), None)
    assert [w.split()[1] for w in warnings] == ["validation", "test"]


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(DataError, match=r"the validation part is empty"):
        partition(100, ["same"] * 100, np.zeros((100, 1)), "regression", Split(kind="scaffold"), None)


def test_overlap_counts_test_molecules_on_learnt_rings() -> None:
    parts = Parts(np.array([0, 1]), np.array([2]), np.array([3, 4, 5]))
    assert scaffold_overlap(parts, ["a", "", "b", "b", "", "c"]) == 1
