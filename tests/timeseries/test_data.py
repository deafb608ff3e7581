from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gnas_timeseries.data import Series, load_series
from gnas_timeseries.options import SeriesData

from gnas.data.parts import PARTS
from gnas.errors import DataError
from tests.timeseries.samples import subjects, waves, write_long, write_npz


def load(folder: Path, **data: object) -> Series:
    return load_series(SeriesData.model_validate(data), folder)


def test_a_long_file_and_an_archive_give_the_same_series(tmp_path: Path) -> None:
    x, y = waves(30)
    write_long(tmp_path / "a.csv", list(x), y.tolist())
    write_npz(tmp_path / "a.npz", X=x, y=y)
    ours = load(tmp_path, file="a.csv", record="record", time="t", targets="label")
    theirs = load(tmp_path, file="a.npz")
    np.testing.assert_allclose(ours.windows.values, theirs.windows.values, atol=1e-4)
    assert np.array_equal(ours.windows.labels, theirs.windows.labels)
    assert all(np.array_equal(ours.parts.of(part), theirs.parts.of(part)) for part in ("train", "validation", "test"))
    assert ours.channels == ("a", "b")


def test_a_wide_file_has_its_channels_one_after_the_other(tmp_path: Path) -> None:
    x, y = waves(30, channels=2, steps=3)
    header = ",".join(["class", *(f"v{i}" for i in range(6))])
    rows = [",".join([f"c{label}", *map(str, row.reshape(-1))]) for row, label in zip(x, y, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join([header, *rows]))
    series = load(tmp_path, file="a.csv", targets="class", channel_count=2)
    np.testing.assert_allclose(series.windows.values, x, rtol=1e-6)
    assert series.labels.classes == ("c0", "c1", "c2")


def test_rows_of_a_recording_may_stand_apart(tmp_path: Path) -> None:
    x, y = waves(24, steps=5)
    rows = [f"r{number},{step},{x[number, 0, step]},{y[number]}" for step in range(5) for number in range(24)]
    (tmp_path / "a.csv").write_text("\n".join(["record,t,v,label", *rows]))
    series = load(tmp_path, file="a.csv", record="record", time="t", targets="label")
    np.testing.assert_allclose(series.windows.values[:, 0], x[:, 0], rtol=1e-6)


def test_gaps_are_filled_inside_a_recording_and_counted(tmp_path: Path) -> None:
    x, y = waves(30)
    x[0, 0, :2] = np.nan
    x[1, 0, 10:12] = np.nan
    x[1, 1, -1] = np.nan
    write_npz(tmp_path / "a.npz", X=x, y=y)
    series = load(tmp_path, file="a.npz")
    values = series.windows.values
    assert values[0, 0, :2].tolist() == [x[0, 0, 2]] * 2
    assert values[1, 0, 9:13] == pytest.approx(np.linspace(x[1, 0, 9], x[1, 0, 12], 4), abs=1e-6)
    assert values[1, 1, -1] == x[1, 1, -2]
    assert any("5 missing values" in note and "3 channels of recordings" in note for note in series.summary.notes)


def test_windows_end_with_their_recording_and_never_leave_it(tmp_path: Path) -> None:
    x, y = waves(30, channels=1)
    x[:, 0] = np.arange(30)[:, None] * 100 + np.arange(24)
    write_npz(tmp_path / "a.npz", X=x[:, :, :23], y=y)
    series = load(tmp_path, file="a.npz", window={"length": 8, "stride": 4}, split={"leaks": "warn"})
    values = series.windows.values[:, 0]
    assert len(values) == 30 * 4
    assert (values[:4, 0].tolist(), values[:4, -1].tolist()) == ([3, 7, 11, 15], [10, 14, 18, 22])
    assert (values // 100 == series.windows.recording[:, None]).all()
    assert series.labels.values[:8, 0].tolist() == [0] * 4 + [1] * 4


def test_windows_may_begin_before_their_recording(tmp_path: Path) -> None:
    x, y = waves(30, channels=1)
    x[:, 0] = np.arange(30)[:, None] * 100 + np.arange(24)
    x[0, 0, 4:] = np.nan
    write_npz(tmp_path / "a.npz", X=x, y=y)
    window = {"length": 12, "least": 4, "stride": 5}
    series = load(tmp_path, file="a.npz", window=window, split={"leaks": "warn"})
    values = series.windows.values[:, 0]
    # One window of the recording of four steps, five of each of the others, which end at 23, 18, 13, 8 and 3.
    assert len(values) == 1 + 29 * 5
    assert values[0].tolist() == [2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert (values[1:6, -1] - 100).tolist() == [3, 8, 13, 18, 23]
    assert (values[1] - 100).tolist() == [4 + 4, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3]
    assert (values[3] - 100).tolist() == list(range(2, 14))
    assert (series.windows.steps == 12).all()
    x[1, 0, 3:] = np.nan
    write_npz(tmp_path / "a.npz", X=x, y=y)
    with pytest.raises(DataError, match="3 steps") as error:
        load(tmp_path, file="a.npz", window=window)
    assert "data.window.least = 4" in str(error.value)


def test_all_windows_of_a_recording_are_in_one_part(tmp_path: Path) -> None:
    x, y = waves(40)
    write_npz(tmp_path / "a.npz", X=x, y=y)
    series = load(tmp_path, file="a.npz", window={"length": 8, "stride": 2})
    where = [set(series.windows.recording[series.parts.of(part)]) for part in ("train", "validation", "test")]
    assert not (where[0] & where[1] or where[0] & where[2] or where[1] & where[2])
    assert sum(map(len, where)) == 40
    assert not series.summary.warnings[1:] or all("share" not in warning for warning in series.summary.warnings)


@pytest.mark.parametrize(("choice", "expected"), [("last", 5.0), ("majority", 2.0), ("auto", 5.0)])
def test_the_label_of_a_window(tmp_path: Path, choice: str, expected: float) -> None:
    x, _ = waves(30, steps=6)
    labels = [[0.0, 2.0 + number, 2.0 + number, 3.5, 4.5, 5.0 + number] for number in range(30)]
    write_long(tmp_path / "a.csv", list(x), labels)
    series = load(
        tmp_path,
        file="a.csv",
        record="record",
        time="t",
        targets="label",
        task="regression",
        window={"length": 6, "label": choice},
    )
    assert series.labels.values[0, 0] == expected


def test_only_the_last_window_of_a_test_recording_is_predicted_if_asked(tmp_path: Path) -> None:
    x, _ = waves(40, steps=20)
    life = [[float(20 - step) for step in range(20)] for _ in range(40)]
    part = ["train"] * 20 + ["validation"] * 8 + ["test"] * 12
    write_long(tmp_path / "a.csv", list(x), life, extra={"part": part})
    series = load(
        tmp_path,
        file="a.csv",
        record="record",
        time="t",
        targets="label",
        task="regression",
        cap=12,
        window={"length": 5, "stride": 5, "test": "last"},
        split={"column": "part"},
    )
    assert dict(series.summary.parts) == {"train": 80, "validation": 32, "test": 12}
    assert series.labels.values[series.parts.test, 0].tolist() == [1.0] * 12
    assert series.labels.values[:4, 0].tolist() == [12.0, 11.0, 6.0, 1.0]


def test_unequal_lengths_are_padded_or_cropped(tmp_path: Path) -> None:
    x, y = waves(30)
    x[::3, :, 16:] = np.nan
    write_npz(tmp_path / "a.npz", X=x, y=y)
    padded = load(tmp_path, file="a.npz", unequal="pad")
    assert padded.windows.steps.tolist() == [16, 24, 24] * 10
    assert padded.windows.values.shape == (30, 2, 24)
    assert not padded.windows.values[::3, :, 16:].any()
    assert "padded" in padded.summary.facts
    cropped = load(tmp_path, file="a.npz", unequal="crop")
    np.testing.assert_array_equal(cropped.windows.values, x[:, :, :16])


def test_a_short_recording_is_one_padded_window(tmp_path: Path) -> None:
    x, y = waves(30)
    x[0, :, 5:] = np.nan
    write_npz(tmp_path / "a.npz", X=x, y=y)
    series = load(tmp_path, file="a.npz", window={"length": 12}, unequal="pad")
    assert series.windows.steps[:3].tolist() == [5, 12, 12]
    np.testing.assert_array_equal(series.windows.values[0, :, :5], x[0, :, :5])


def test_a_second_file_is_the_test_part(tmp_path: Path) -> None:
    x, y = waves(60)
    write_npz(tmp_path / "a.npz", X=x[:40], y=y[:40])
    write_npz(tmp_path / "b.npz", X=x[40:], y=y[40:])
    series = load(tmp_path, file="a.npz", test_file="b.npz")
    assert series.split == "given"
    np.testing.assert_array_equal(series.windows.values[series.parts.test], x[40:])
    assert len(series.parts.validation) == pytest.approx(40 * 0.15 / 0.85, abs=3)


def test_the_first_rows_train_where_an_archive_says_so(tmp_path: Path) -> None:
    x, y = waves(60)
    write_npz(tmp_path / "a.npz", X=x, y=y, n_train=45)
    series = load(tmp_path, file="a.npz")
    assert series.parts.test.tolist() == list(range(45, 60))
    named = load(tmp_path, file="a.npz", split={"kind": "random"})
    assert named.parts.test.tolist() != series.parts.test.tolist()


def test_validation_takes_whole_groups_of_training(tmp_path: Path) -> None:
    x, y = waves(60)
    write_npz(tmp_path / "a.npz", X=x, y=y, n_train=42, who=[f"s{i // 6}" for i in range(60)])
    series = load(tmp_path, file="a.npz", group="who")
    inside = [{series.groups[i] for i in series.parts.of(part)} for part in ("train", "validation", "test")]
    assert not (inside[0] & inside[1] or inside[1] & inside[2])
    assert series.named_groups


def test_classes_have_equal_shares_in_a_random_split(tmp_path: Path) -> None:
    x, y = waves(100, classes=4)
    write_npz(tmp_path / "a.npz", X=x, y=y)
    series = load(tmp_path, file="a.npz", split={"fractions": [0.6, 0.2, 0.2]})
    for part, n in zip(PARTS, (15, 5, 5), strict=True):
        found = np.bincount(series.labels.values[:, 0].astype(int)[series.parts.of(part)])
        assert found == pytest.approx([n] * 4, abs=1)


def test_a_random_split_beside_named_groups_is_warned_of(tmp_path: Path) -> None:
    x, y = waves(60)
    write_npz(tmp_path / "a.npz", X=x, y=y, who=subjects(60))
    series = load(tmp_path, file="a.npz", group="who", split={"kind": "random"})
    assert any("although groups are named" in warning for warning in series.summary.warnings)


def test_copies_in_two_parts_are_found_and_told(tmp_path: Path) -> None:
    x, y = waves(60)
    x[50] = x[3]
    write_npz(tmp_path / "a.npz", X=x, y=y, n_train=45)
    with pytest.raises(DataError, match=r"1 series of the test part share.*series 50 with a.npz series 3"):
        load(tmp_path, file="a.npz")
    series = load(tmp_path, file="a.npz", split={"leaks": "warn"})
    assert any("1 series of the test part" in warning for warning in series.summary.warnings)


def test_flat_stretches_are_no_leak(tmp_path: Path) -> None:
    x, y = waves(60, steps=80)
    x[:, :, :40] = 1.0
    write_npz(tmp_path / "a.npz", X=x, y=y)
    assert load(tmp_path, file="a.npz").summary.used == 60


def test_series_without_a_label_are_left_out(tmp_path: Path) -> None:
    x, y = waves(60)
    labels = y.astype(object).astype(str)
    labels[[4, 9]] = ""
    write_npz(tmp_path / "a.npz", X=x, y=labels.astype("U1"))
    series = load(tmp_path, file="a.npz")
    assert series.summary.skipped == (("a.npz series 4", "no label"), ("a.npz series 9", "no label"))
    assert (series.summary.rows, series.summary.used) == (60, 58)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["a", "b"], "classification"),
        ([1, 2, 3], "classification"),
        (list(range(30)), "regression"),
        ([0.5, 1.5], "regression"),
        ([[0, 1], [1, 0]], "multilabel"),
        ([[0, 1], [3, 0]], "regression"),
    ],
)
def test_the_kind_of_task_follows_from_the_labels(tmp_path: Path, labels: list[object], kind: str) -> None:
    x, _ = waves(60)
    write_npz(tmp_path / "a.npz", X=x, y=np.array([labels[i % len(labels)] for i in range(60)]))
    assert load(tmp_path, file="a.npz").labels.kind == kind


def test_classes_that_are_numbers_are_in_their_order(tmp_path: Path) -> None:
    x, y = waves(60)
    write_npz(tmp_path / "a.npz", X=x, y=np.array([10.0, 9.0, -1.0])[y])
    assert load(tmp_path, file="a.npz").labels.classes == ("-1", "9", "10")
