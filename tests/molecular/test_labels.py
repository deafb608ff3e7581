import numpy as np
import pytest
from gnas_molecular.labels import check_labels, read_labels, task_kind

from gnas.data.tables import Cell, Table
from gnas.errors import DataError


def _table(**columns: list[Cell]) -> Table:
    n = len(next(iter(columns.values())))
    return Table("a.csv", {name: tuple(values) for name, values in columns.items()}, tuple(range(2, n + 2)))


def test_missing_labels_are_nan_and_words_are_classes() -> None:
    table = _table(y=["1.5", "", "NaN", " n/a", None, 3], z=["true", "False", "yes", "no", "1", True])
    labels = read_labels(table, ("y", "z"))
    np.testing.assert_array_equal(labels[:, 0], [1.5, np.nan, np.nan, np.nan, np.nan, 3.0])
    np.testing.assert_array_equal(labels[:, 1], [1, 0, 1, 0, 1, 1])


@pytest.mark.parametrize("bad", [">10", "inf", "-Infinity", float("inf"), "1,5"])
def test_a_value_that_is_no_finite_number_is_refused_with_its_line(bad: Cell) -> None:
    with pytest.raises(DataError, match=r"a.csv line 3: target 'y' is not a finite number"):
        read_labels(_table(y=["1", bad, "2"]), ("y",))


def test_the_kind_of_task_is_inferred() -> None:
    binary, real = np.array([[0.0], [1.0], [np.nan]]), np.array([[0.0], [1.5], [np.nan]])
    assert task_kind(binary, ("y",), "auto") == "binary"
    assert task_kind(real, ("y",), "auto") == "regression"
    assert task_kind(binary, ("y",), "regression") == "regression"
    with pytest.raises(DataError, match=r"some targets hold only 0 and 1"):
        task_kind(np.hstack([binary, real]), ("y", "z"), "auto")


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ([np.nan, np.nan], "regression", "no labels at all"),
        ([2.0, 2.0, np.nan], "regression", "constant"),
        ([1.0, 1.0], "binary", "one class only"),
        ([1.0, 0.0, 2.0], "binary", "a.csv line 4.*accepted: 0 or 1"),
    ],
)
def test_targets_without_anything_to_learn_are_refused(values: list[float], kind: str, message: str) -> None:
    labels = np.array(values)[:, None]
    with pytest.raises(DataError, match=message):
        check_labels(labels, ("y",), "binary" if kind == "binary" else "regression", _table(y=list(values)))
