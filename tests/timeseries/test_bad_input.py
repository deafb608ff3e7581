"""The table of bad series, through the command line: one clear message each, with place, value and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gnas.testing.command_line import invoke
from tests.integration.bad_input import told
from tests.timeseries.samples import Array, subjects, waves, write_long, write_npz

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def refused(folder: Path, data: dict[str, Any], code: int, *words: str, **spec: Any) -> None:
    """`gnas plan` and `gnas run` refuse a spec with the same message, and no run folder is left behind."""
    content = {"domain": "timeseries", "data": data, "space": "timeseries/small", "workers": 1, "executor": "inline"}
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump({**content, **spec}, sort_keys=False), encoding="utf-8")
    out = folder / "out"
    assert told(invoke("plan", path), code, *words) == told(invoke("run", path, "--out", out), code, *words)
    assert not out.exists()


def npz(folder: Path, data: dict[str, Any] | None = None, *words: str, code: int = 4, **arrays: Any) -> None:
    """An archive is refused; arrays beside waves and their classes, which they may replace."""
    x, y = waves()
    write_npz(folder / "a.npz", **{"X": x, "y": y, **arrays})
    refused(folder, {"file": "a.npz", **(data or {})}, code, *words)


def long(
    folder: Path, signals: list[Array], labels: list[Any], data: dict[str, Any], *words: str, **extra: Any
) -> None:
    """A long CSV is refused."""
    write_long(folder / "a.csv", signals, labels, extra=extra)
    refused(folder, {"file": "a.csv", "record": "record", "time": "t", "targets": "label", **data}, 4, *words)


def recordings(n: int = 30, lengths: tuple[int, ...] = (24,)) -> tuple[list[Array], list[Any]]:
    x, y = waves(n, steps=max(lengths))
    return [signal[:, : lengths[i % len(lengths)]] for i, signal in enumerate(x)], y.tolist()


def test_nan_where_none_may_be(tmp_path: Path) -> None:
    x, _ = waves()
    x[7, 1, 3:5] = np.nan
    npz(
        tmp_path,
        {"missing": "error"},
        "a.npz series 7, channel 'channel 2'",
        "2 values are missing (NaN)",
        "step 4",
        X=x,
    )


def test_a_channel_without_any_value(tmp_path: Path) -> None:
    x, _ = waves()
    x[7, 1] = np.nan
    npz(tmp_path, {}, "series 7, channel 'channel 2'", "every value is missing", "leave the channel out", X=x)


def test_too_many_gaps(tmp_path: Path) -> None:
    x, _ = waves()
    x[7, 0, 2:14] = np.nan
    npz(tmp_path, {}, "series 7", "50% of the values are missing", "at most 20%", "data.max_missing", X=x)


def test_an_infinite_value(tmp_path: Path) -> None:
    x, _ = waves()
    x[7, 0, 2] = np.inf
    npz(tmp_path, {}, "a.npz series 7", "infinite value in channel 0, step 2", "NaN where a value is missing", X=x)


def test_a_recording_shorter_than_the_window(tmp_path: Path) -> None:
    signals, labels = recordings(lengths=(24, 24, 9))
    window = {"window": {"length": 12}}
    long(tmp_path, signals, labels, window, "recording 'r2'", "has 9 steps", "data.window.length = 12", "data.unequal")


def test_unequal_lengths(tmp_path: Path) -> None:
    signals, labels = recordings(lengths=(24, 20))
    long(tmp_path, signals, labels, {}, "recording 'r1'", "20 steps here and 24", "pad or crop")


def test_unsorted_time(tmp_path: Path) -> None:
    signals, labels = recordings()
    write_long(tmp_path / "a.csv", signals, labels)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    lines[30], lines[31] = lines[31], lines[30]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    data = {"file": "a.csv", "record": "record", "time": "t", "targets": "label"}
    refused(tmp_path, data, 4, "a.csv line 32", "time does not rise within recording 'r1': 5 after 6", "sort the rows")


def test_a_channel_that_is_no_number(tmp_path: Path) -> None:
    signals, labels = recordings()
    write_long(tmp_path / "a.csv", signals, labels)
    text = (tmp_path / "a.csv").read_text().replace("r1,5,", "r1,5,high", 1)
    (tmp_path / "a.csv").write_text(text)
    data = {"file": "a.csv", "record": "record", "time": "t", "targets": "label"}
    refused(tmp_path, data, 4, "a.csv line 31", "column 'a' is not a finite number", "'high", "data.channels")


def test_a_missing_column(tmp_path: Path) -> None:
    signals, labels = recordings()
    data = {"channels": ["a", "c"]}
    long(tmp_path, signals, labels, data, "data.channels", "no such column in a.csv", "'c'", "record, t, a, b, label")


def test_a_missing_target(tmp_path: Path) -> None:
    signals, labels = recordings()
    long(tmp_path, signals, labels, {"targets": "Label"}, "data.targets", "'Label'", "did you mean 'label'?")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    refused(tmp_path, {"file": "a.csv", "targets": "y"}, 4, "a.csv", "the file is empty")


def test_a_missing_file(tmp_path: Path) -> None:
    write_npz(tmp_path / "pumps.npz", X=np.zeros(3))
    refused(tmp_path, {"file": "pump.npz"}, 4, "data.file", "did you mean 'pumps.npz'?")


def test_an_unknown_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "a.mat").touch()
    refused(tmp_path, {"file": "a.mat"}, 4, "data.file", "unknown kind of file", ".csv", ".npz", ".ts")


def test_one_class_only(tmp_path: Path) -> None:
    npz(tmp_path, {"task": "classification"}, "a.npz, target 'y'", "one class only", "'1'", y=np.ones(60))


def test_a_class_absent_from_training(tmp_path: Path) -> None:
    _, y = waves()
    part = np.where(y == 2, 2, np.arange(60) % 2)
    data = {"split": {"column": "part"}}
    npz(tmp_path, data, "data.split", "class '2' is absent from training", "another split kind", part=part)


def test_a_group_in_two_parts(tmp_path: Path) -> None:
    data = {"group": "who", "split": {"column": "part"}}
    words = ("group 's0' is in two parts", "a.npz series 0 in train", "split.kind group")
    npz(tmp_path, data, *words, who=subjects(60, 4), part=np.arange(60) % 3)


def test_a_recording_in_two_parts(tmp_path: Path) -> None:
    signals, labels = recordings()
    write_long(tmp_path / "a.csv", signals, labels, extra={"part": ["train"] * 20 + ["validation"] * 5 + ["test"] * 5})
    text = (tmp_path / "a.csv").read_text().replace("train", "test", 1)
    (tmp_path / "a.csv").write_text(text)
    data = {"file": "a.csv", "record": "record", "time": "t", "targets": "label", "split": {"column": "part"}}
    refused(tmp_path, data, 4, "a.csv line 3", "recording 'r0' has two values in 'part'", "one group and one part")


def test_windows_that_overlap_across_parts(tmp_path: Path) -> None:
    signal = np.random.default_rng(0).normal(size=(2, 600)).astype(np.float32)
    x = np.stack([signal[:, first : first + 40] for first in range(0, 560, 10)])
    words = ("data.split", "share 16 or more consecutive steps", "overlapping windows or copies", "data.group")
    npz(tmp_path, {}, *words, X=x, y=np.arange(len(x)) % 2)


def test_a_wrong_layout_of_an_archive(tmp_path: Path) -> None:
    npz(tmp_path, {}, "a.npz", "y has shape (24,) and X holds 60 series", "X (series, channel, step)", y=np.zeros(24))


def test_an_archive_without_series(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", x=np.zeros((3, 4)), y=np.zeros(3))
    refused(tmp_path, {"file": "a.npz"}, 4, "data.file", "no array 'X' in a.npz", "'x, y'", "did you mean 'x'?")


def test_series_as_pickled_objects(tmp_path: Path) -> None:
    x = np.empty(2, dtype=object)
    x[0], x[1] = np.zeros(3), np.zeros(4)
    npz(tmp_path, {}, "a.npz", "cannot be read", "pad series of unequal lengths with NaN", X=x)


def test_another_number_of_channels_in_the_test_file(tmp_path: Path) -> None:
    x, y = waves(channels=3)
    write_npz(tmp_path / "b.npz", X=x, y=y)
    npz(tmp_path, {"test_file": "b.npz"}, "b.npz", "3 channels", "2 as in a.npz")


def test_names_for_another_number_of_channels(tmp_path: Path) -> None:
    npz(tmp_path, {"channels": ["x", "y", "z"]}, "data.channels", "a.npz has 2 channels and 3 names", "2 names")


def test_columns_that_do_not_make_channels(tmp_path: Path) -> None:
    rows = ["y,v1,v2,v3", *(f"{i % 2},1,{i},3" for i in range(30))]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    data = {"file": "a.csv", "targets": "y", "channel_count": 2}
    refused(tmp_path, data, 4, "data.channel_count", "3 columns of values", "2 channels", "a divisor of 3")


def test_too_few_series(tmp_path: Path) -> None:
    x, y = waves(12)
    npz(tmp_path, {}, "a.npz", "too few series", "12", "at least 20", X=x, y=y)


def test_a_target_that_is_no_number(tmp_path: Path) -> None:
    y = np.array(["1.5", "2.5", "fast"] * 20)
    npz(tmp_path, {"task": "regression"}, "a.npz series 2", "'fast'", "task: classification", y=y)


def test_a_split_that_the_data_do_not_have(tmp_path: Path) -> None:
    npz(tmp_path, {"split": {"kind": "given"}}, "data.split.kind", "do not say which part", "split.column or test_file")


def test_a_split_by_groups_without_groups(tmp_path: Path) -> None:
    npz(tmp_path, {"split": {"kind": "group"}}, "data.split.kind", "needs groups", "data.group")


def test_a_group_to_leave_out_that_is_not_there(tmp_path: Path) -> None:
    data = {"group": "who", "split": {"kind": "leave_one_out", "test_group": "s99"}}
    npz(tmp_path, data, "data.split.test_group", "no such group", "'s99'", "s0, s1", who=subjects(60))


def test_a_part_that_is_none(tmp_path: Path) -> None:
    part = np.array(["train", "exam"] * 30)
    npz(tmp_path, {"split": {"column": "part"}}, "a.npz series 1", "not the name of a part", "'exam'", part=part)


def test_an_unknown_data_set(tmp_path: Path) -> None:
    refused(tmp_path, {"dataset": "BasicMotion"}, 4, "data.dataset", "'BasicMotion'", "synthetic", "BasicMotions")


def test_a_data_set_inside_a_package_that_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnas_datasets.series.find_spec", lambda name: None)
    refused(tmp_path, {"dataset": "BasicMotions"}, 6, "'aeon' is not installed", "pip install 'gnas[timeseries]'")


def test_a_metric_that_needs_subjects(tmp_path: Path) -> None:
    x, y = waves()
    write_npz(tmp_path / "a.npz", X=x, y=y)
    words = ("no such metric for this classification task", "'worst_group_accuracy'", "data.group")
    refused(tmp_path, {"file": "a.npz"}, 2, *words, metric="worst_group_accuracy")


def test_options_that_contradict_each_other(tmp_path: Path) -> None:
    words = ("spec.yaml:", "test_file goes with file")
    refused(tmp_path, {"dataset": "synthetic", "test_file": "b.npz"}, 2, *words)
