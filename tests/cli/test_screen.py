"""`gnas screen` and `gnas fit` on a table and on a run folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnas.testing.command_line import Outcome, invoke
from tests.integration.bad_input import spec, write_spec
from tests.screening.samples import SPACE, ramp, some_codes, space, truth, write_codes, write_labels

pytestmark = pytest.mark.usefixtures("module_cache")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("screen")


@pytest.fixture(scope="module")
def table(folder: Path) -> Path:
    """Labels of 24 architectures, with a cost that is no function of the truth."""
    codes = some_codes(24)
    ms = (codes[:, 0] + 1.0) * 5 + codes[:, 1]
    return write_labels(folder / "labels.csv", 24, latency=ms.tolist(), n_params=(1000 * ms).tolist())


@pytest.fixture(scope="module")
def fitted(folder: Path, table: Path) -> Outcome:
    """A predictor fitted on the table, at `folder / "predictor"`."""
    return invoke("fit", *labels(table), "--out", folder / "predictor", "--json")


def labels(table: Path) -> list[str | Path]:
    return ["--space", SPACE, "--evaluations", table, "--metric", "score", "--maximize"]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def test_a_table_from_end_to_end(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "top.csv"
    outcome = invoke("screen", *labels(table), "--pool", "all", "--top", "7", "--out", out)
    assert outcome.code == 0, outcome.err
    first, *rest = outcome.out.splitlines()
    assert first.startswith("the predictor is better than the best cheap feature")
    text = "\n".join(rest)
    for words in (
        "on held-out labels (8 folds of 24)",
        "the parameter count",
        "chance",
        "90 % intervals hold",
        "labels: 24 of score (larger is better)",
        "pool: 288 read, 264 new ones screened",
        "90 % interval",
        f"wrote {out}",
    ):
        assert words in text, words
    assert "fit 1/1" in outcome.err
    rows = read(out)
    assert [row["rank"] for row in rows] == [str(i) for i in range(1, 8)]
    assert all(float(row["low_90"]) <= float(row["predicted_score"]) <= float(row["high_90"]) for row in rows)
    assert rows[0]["nearest_better"] == ""
    assert all(int(row["nearest_better"]) >= 1 for row in rows[1:])
    # What is written can be screened again, and none of it had been evaluated.
    known = {tuple(row.tolist()) for row in some_codes(24)}
    codes = [space().encode(_assignment(row)) for row in rows]
    assert not known & {tuple(code.tolist()) for code in codes}
    everything = truth(np.concatenate([*space().iterate_codes()]))
    assert truth(np.array(codes)).mean() > np.quantile(everything, 0.85)


def _assignment(row: dict[str, str]) -> dict[str, Any]:
    texts = {choice.name: {str(v).lower(): v for v in choice.values} for choice in space().choices}
    return {name: values[row[name].lower()] for name, values in texts.items()}


def test_a_predictor_is_kept_and_loaded(fitted: Outcome, folder: Path, table: Path, tmp_path: Path) -> None:
    assert fitted.code == 0, fitted.err
    report = json.loads(fitted.out)
    assert report["better"] is True
    assert report["labels"]["used"] == 24
    pool = write_codes(tmp_path / "pool.csv", space(), some_codes(100, seed=3), {})
    common: list[str | Path] = ["--pool", pool, "--top", "20", "--json", "--out", tmp_path / "top.json"]
    loaded = invoke("screen", "--predictor", folder / "predictor", *common)
    straight = invoke("screen", *labels(table), *common)
    assert (loaded.code, straight.code) == (0, 0), loaded.err + straight.err
    assert loaded.err == ""
    first, second = json.loads(loaded.out), json.loads(straight.out)
    assert first["top"] == second["top"]
    assert first["held_out"] == second["held_out"] == report["held_out"]
    assert first["pool"]["kind"] == "file"
    assert json.loads((tmp_path / "top.json").read_text(encoding="utf-8"))["top"] == first["top"]


def test_limits_on_a_column_of_the_table(fitted: Outcome, folder: Path, tmp_path: Path) -> None:
    outcome = invoke(
        "screen", "--predictor", folder / "predictor", "--pool", "all", "--where", "latency < 8", "--json",
        "--out", tmp_path / "top.csv",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert found["where"] == ["latency < 8"]
    assert len(found["top"]) == 10
    assert all(row["estimated"]["latency"] < 8 and row["choices"]["hidden"] == 32 for row in found["top"])
    assert found["estimated_costs"]["latency"] > 0.9
    assert any("latency cannot be counted here" in remark for remark in found["remarks"])
    assert "estimated_latency" in read(tmp_path / "top.csv")[0]


def test_a_warm_start_says_whether_it_helped(fitted: Outcome, folder: Path, tmp_path: Path) -> None:
    from gnas.space import load_space

    default = load_space("molecular/default")
    codes = default.sample_codes(np.random.default_rng(0), 16)
    values = [float(sum(node.op == "gine" for node in default.decode(row).nodes)) for row in codes]
    path = write_codes(tmp_path / "labels.csv", default, codes, {"score": values})
    outcome = invoke(
        "fit", "--space", "molecular/default", "--evaluations", path, "--metric", "score", "--maximize",
        "--warm-start", folder / "predictor", "--out", tmp_path / "warm",
    )  # fmt: skip
    assert outcome.code in (0, 8), outcome.err
    (note,) = [line for line in outcome.out.splitlines() if line.startswith("note: warm start from molecular/small")]
    assert note.endswith(("; kept", "it does not help and was dropped"))
    stored = json.loads((tmp_path / "warm" / "predictor.json").read_text(encoding="utf-8"))
    assert (stored["source"] is not None) == note.endswith("kept") == stored["about"]["warm_start"]["kept"]


def test_an_extra_column_is_a_feature_of_labels_and_pool(tmp_path: Path) -> None:
    # The metric is the column and nothing else: only with it can the pool be ranked.
    rng = np.random.default_rng(0)
    hidden = rng.permutation(120).astype(float)
    codes = some_codes(120)
    path = write_codes(
        tmp_path / "labels.csv",
        space(),
        codes[:40],
        {"score": (2 * hidden[:40]).tolist(), "proxy": hidden[:40].tolist()},
    )
    pool = write_codes(tmp_path / "pool.csv", space(), codes[40:], {"proxy": hidden[40:].tolist()})
    outcome = invoke(
        "screen", *labels(path), "--extra", "proxy", "--pool", pool, "--top", "5", "--json", "--out", tmp_path / "a.csv"
    )
    # No better than the column itself, which the first line says.
    assert outcome.code in (0, 8), outcome.err
    found = json.loads(outcome.out)
    assert found["held_out"]["best_cheap_feature"] == "proxy"
    digests = space().digests(codes[40:]).tolist()
    best = [hidden[40 + digests.index(row["digest"].encode())] for row in found["top"]]
    assert min(best) >= np.sort(hidden[40:])[-12]


def test_a_predictor_no_better_than_chance_says_so_first(tmp_path: Path) -> None:
    codes = some_codes(16)
    noise = np.random.default_rng(5).permutation(ramp(16))
    path = write_codes(tmp_path / "labels.csv", space(), codes, {"score": noise.tolist()})
    common = [*labels(path), "--json"]
    outcome = invoke("screen", *common, "--pool", "50", "--top", "3", "--out", tmp_path / "top.csv")
    assert outcome.code == 8
    found = json.loads(outcome.out)
    assert found["better"] is False
    assert found["sentence"].startswith("WARNING: the predictor is not better than")
    assert len(read(tmp_path / "top.csv")) == 3
    assert "error" not in outcome.err


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of ten trials on molecules."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gnas.run._Run._export", lambda self: None)
        outcome = invoke("run", write_spec(folder, spec(budget={"trials": 10})), "--out", folder / "out", "--quiet")
    assert outcome.code == 0, outcome.err
    return folder / "out"


def test_a_run_folder_with_costs_counted(run: Path) -> None:
    outcome = invoke("screen", run, "--pool", "all", "--top", "6", "--where", "n_params<40k")
    assert outcome.code in (0, 8), outcome.err
    assert outcome.out.startswith(("the predictor is better", "WARNING: the predictor is not better"))
    assert "labels: 10 of rmse (smaller is better)" in outcome.out
    assert "pool: 288 read, 278 new ones screened" in outcome.out
    rows = read(run / "screen.csv")
    assert len(rows) == 6
    assert all(0 < float(row["n_params"]) < 40_000 and float(row["macs"]) > 0 for row in rows)
    predicted = [float(row["predicted_rmse"]) for row in rows]
    assert predicted == sorted(predicted)


def test_another_metric_of_a_run(run: Path, tmp_path: Path) -> None:
    outcome = invoke(
        "screen", run, "--metric", "n_params", "--pool", "100", "--top", "3", "--json", "--out", tmp_path / "a.json"
    )
    assert outcome.code in (0, 8), outcome.err
    found = json.loads(outcome.out)
    assert (found["metric"], found["direction"]) == ("n_params", "minimize")
    # The parameter count is the metric itself: no predictor ranks it better.
    assert found["better"] is False
