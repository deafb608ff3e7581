"""The table of bad inputs of `gnas screen` and `gnas fit`, through the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gnas.testing.command_line import invoke
from tests.integration.bad_input import told
from tests.screening.samples import SPACE, some_codes, space, truth, write_codes, write_labels

pytestmark = pytest.mark.integration


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_labels(tmp_path / "labels.csv", 20)


def refused(
    table: Path, code: int, *words: str, more: Sequence[str | Path] = (), metric: str = "score", one: str = SPACE
) -> None:
    """`gnas screen` refuses, with one message, and writes nothing."""
    before = sorted(table.parent.rglob("*"))
    arguments = ["--space", one, "--evaluations", table, "--metric", metric, "--maximize", *more]
    told(invoke("screen", *arguments, "--out", table.parent / "top.csv"), code, *words)
    assert sorted(table.parent.rglob("*")) == before


def edit(table: Path, line: int, old: str, new: str) -> None:
    lines = table.read_text(encoding="utf-8").splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")


def scores(table: Path, values: Sequence[object]) -> None:
    write_codes(table, space(), some_codes(len(values)), {"score": values})


# The table of evaluations.


def test_value_outside_the_space(table: Path) -> None:
    conv = str(dict(space().decode(some_codes(20)[3]).assignment)["conv"])
    edit(table, 5, conv, "gatv3")
    refused(table, 4, "labels.csv line 5, column 'conv'", "'gatv3'", "gcn, gin, gine, gatv2", "did you mean 'gatv2'?")


def test_empty_cell_of_an_active_choice(table: Path) -> None:
    conv = str(dict(space().decode(some_codes(20)[0]).assignment)["conv"])
    edit(table, 2, conv, "")
    refused(table, 4, "labels.csv line 2, column 'conv'", "is active in this row and needs a value")


def test_missing_choice_column(table: Path) -> None:
    edit(table, 1, "conv", "convs")
    refused(table, 4, "labels.csv", "no column for 1 of the 6 choices", "conv", "did you mean 'convs'?")


def test_all_choice_columns_missing(table: Path) -> None:
    table.write_text("arch,score\na,1\n", encoding="utf-8")
    refused(table, 4, "no column for 6 of the 6 choices", "hidden, depth, conv", "gnas space info molecular/small")


def test_unknown_metric(table: Path) -> None:
    refused(table, 4, "--metric", "'scores'", "did you mean 'score'?", metric="scores")


def test_a_choice_is_no_metric(table: Path) -> None:
    refused(table, 4, "--metric", "'depth'", "accepted: score", metric="depth")


def test_metric_that_is_no_number(table: Path) -> None:
    scores(table, [*range(10), "good", *range(9)])
    refused(table, 4, "labels.csv line 12, column 'score'", "'good'", "a number")


def test_constant_metric(table: Path) -> None:
    scores(table, [0.5] * 20)
    refused(table, 4, "labels.csv, column 'score'", "all labels are equal", "0.5", "--metric")


def test_three_labels_only(table: Path) -> None:
    scores(table, [1, 2, 3])
    refused(table, 4, "too few different architectures", "got 3", "at least 8")


def test_seven_different_labels_of_twenty_rows(table: Path) -> None:
    codes = some_codes(7)[np.arange(20) % 7]
    write_codes(table, space(), codes, {"score": truth(codes).tolist()})
    refused(table, 4, "got 7", "at least 8", "13 that repeat another")


def test_most_labels_missing(table: Path) -> None:
    scores(table, ["nan"] * 6 + ["inf"] * 3 + [""] * 2 + list(range(9)))
    refused(table, 4, "11 of 20 rows have no finite value", "labels.csv, column 'score'")


def test_some_labels_missing_and_repeated_rows_are_counted(table: Path, tmp_path: Path) -> None:
    codes = np.concatenate([some_codes(18), some_codes(2)])
    values: list[object] = [*truth(codes).tolist()]
    values[5] = "nan"
    write_codes(table, space(), codes, {"score": values})
    outcome = invoke(
        "screen", "--space", SPACE, "--evaluations", table, "--metric", "score", "--maximize", "--pool", "all",
        "--out", tmp_path / "top.csv",
    )  # fmt: skip
    assert outcome.code in (0, 8), outcome.err
    assert "labels: 17 of score" in outcome.out
    assert "1 no finite score; 2 averaged with an isomorphic twin" in outcome.out


def test_empty_table(table: Path) -> None:
    table.write_text("", encoding="utf-8")
    refused(table, 4, "labels.csv", "empty")


def test_header_only(table: Path) -> None:
    table.write_text(table.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    refused(table, 4, "labels.csv", "no rows beneath the header")


def test_ragged_row(table: Path) -> None:
    edit(table, 4, ",", ",,")
    refused(table, 4, "labels.csv line 4", "a row of 8 cells", "7 cells")


def test_binary_file(table: Path) -> None:
    table.write_bytes(bytes(range(256)))
    refused(table, 4, "labels.csv", "not a CSV file in UTF-8")


def test_missing_table(table: Path) -> None:
    table.rename(table.with_name("labels_2.csv"))
    refused(table, 4, "labels.csv", "no such file", "did you mean 'labels_2.csv'?")


def test_unknown_space(table: Path) -> None:
    refused(table, 3, "'molecular/smal'", "molecular/small", one="molecular/smal")


def test_missing_space_file(table: Path) -> None:
    refused(table, 3, "--space", "mine.yaml", "no such space file", one="mine.yaml")


def test_missing_extra_column(table: Path) -> None:
    refused(table, 4, "--extra", "'proxy'", "accepted: score", more=["--extra", "proxy"])


def test_the_metric_as_extra_column(table: Path) -> None:
    refused(table, 4, "--extra", "'score'", "cannot be an extra column too", more=["--extra", "score"])


def test_direction_not_said(table: Path) -> None:
    edit(table, 1, "score", "val_error")
    outcome = invoke("screen", "--space", SPACE, "--evaluations", table, "--metric", "val_error")
    told(outcome, 4, "--metric", "'val_error'", "--minimize or --maximize")


# Options.


def test_nothing_to_learn_from() -> None:
    told(invoke("screen"), 2, "nothing to learn from", "--space SPACE with --evaluations FILE.csv")


def test_no_metric(table: Path) -> None:
    told(invoke("screen", "--space", SPACE, "--evaluations", table), 2, "--metric", "say which column")


def test_run_folder_and_table(table: Path) -> None:
    outcome = invoke("screen", table.parent, "--evaluations", table)
    told(outcome, 2, "--evaluations", "not together with a run folder")


def test_no_run_folder(tmp_path: Path) -> None:
    told(invoke("screen", tmp_path), 5, str(tmp_path), "no run folder", "gnas run")


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--pool", "lots"], 4, ("--pool", "'lots'", "neither a number")),
        (["--pool", "0"], 4, ("--pool", "an empty pool")),
        (["--pool", "20", "--top", "21"], 4, ("--top", "got 21", "different architectures", "ask for fewer")),
        (["--where", "n_params<"], 2, ("--where", "'n_params<'", "NAME < NUMBER")),
        (["--where", "size<3"], 2, ("--where", "'size'", "neither be counted nor predicted")),
        (["--extra", "ms", "--pool", "20"], 4, ("--pool", "ms", "which only a file has")),
    ],
    ids=["pool", "empty pool", "top", "syntax of where", "name of where", "extra without a file"],
)
def test_options(table: Path, more: list[str], code: int, words: tuple[str, ...]) -> None:
    write_labels(table, 20, ms=list(range(20)))
    refused(table, code, *words, more=more)


def test_space_too_large_to_enumerate(tmp_path: Path) -> None:
    from gnas.space import load_space

    darts = load_space("darts")
    codes = darts.sample_codes(np.random.default_rng(0), 20)
    table = write_codes(tmp_path / "labels.csv", darts, codes, {"score": list(range(20))})
    refused(table, 3, "--pool", "too many", "at most 10,000,000", "--pool 1000000", more=["--pool", "all"], one="darts")


# The pool file.


def test_pool_outside_the_space(table: Path, tmp_path: Path) -> None:
    pool = write_codes(tmp_path / "pool.csv", space(), some_codes(9), {})
    edit(pool, 3, str(dict(space().decode(some_codes(9)[1]).assignment)["readout"]), "median")
    refused(table, 4, "pool.csv line 3, column 'readout'", "'median'", "sum, mean, max", more=["--pool", pool])


def test_empty_pool_file(table: Path, tmp_path: Path) -> None:
    pool = write_codes(tmp_path / "pool.csv", space(), some_codes(0), {})
    refused(table, 4, "pool.csv", "an empty pool", more=["--pool", pool])


def test_pool_without_the_extra_column(table: Path, tmp_path: Path) -> None:
    write_labels(table, 20, ms=list(range(20)))
    pool = write_codes(tmp_path / "pool.csv", space(), some_codes(9), {})
    refused(table, 4, "pool.csv", "no column 'ms'", more=["--pool", pool, "--extra", "ms"])


def test_pool_all_of_which_is_known(table: Path, tmp_path: Path) -> None:
    pool = write_codes(tmp_path / "pool.csv", space(), some_codes(20), {})
    refused(table, 4, "--top", "all of the pool has been evaluated", more=["--pool", pool])


# Predictors.


def test_no_predictor(tmp_path: Path) -> None:
    told(invoke("screen", "--predictor", tmp_path / "none"), 4, "none", "no predictor here", "gnas fit")


def test_foreign_file_for_a_predictor(table: Path) -> None:
    told(invoke("screen", "--predictor", table), 4, "labels.csv", "no predictor here")
    out = table.parent / "p"
    arguments: list[str | Path] = [
        "--space",
        SPACE,
        "--evaluations",
        table,
        "--metric",
        "score",
        "--maximize",
        "--out",
        out,
    ]
    told(invoke("fit", *arguments, "--warm-start", table), 4, "labels.csv", "no predictor here")
    assert not out.exists()


def test_fit_without_a_place(table: Path) -> None:
    outcome = invoke("fit", "--space", SPACE, "--evaluations", table, "--metric", "score")
    assert outcome.code == 2
    assert "--out" in outcome.err


def test_a_predictor_brings_its_own_labels_and_space(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "p"
    source: list[str | Path] = ["--space", SPACE, "--evaluations", table, "--metric", "score", "--maximize"]
    assert invoke("fit", *source, "--out", out).code in (0, 8)
    for more, words in (
        (["--evaluations", table], ("--evaluations", "not together with --predictor")),
        (["--metric", "other"], ("--metric", "not together with --predictor")),
        (["--minimize"], ("--maximize/--minimize", "not together")),
        (["--space", "darts"], ("--space", "fitted on another space", "molecular/small")),
    ):
        told(invoke("screen", "--predictor", out, *more), 2, *words)
