from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from gnas_tabular.table import read_table
from gnas_tabular.toy import toy_table

from gnas.errors import DataError
from gnas.space import load_space
from tests.tabular.samples import CELLS, cells, graphs, nasbench101, write_csv

DATA = Path(os.environ.get("GNAS_DATA", Path(__file__).parents[3] / "shared" / "data")) / "nas"


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_cells_become_codes_of_their_space(tmp_path: Path, name: str) -> None:
    table = read_table(cells(tmp_path / name))
    assert table.space.name == "benchmarks/nasbench201"
    first = dict(table.space.assignment(table.codes[0]))
    assert first["cell.0->1"] == "nor_conv_3x3"
    assert first["cell.2->3"] == "nor_conv_3x3"
    assert first["cell.0->3"] == "skip_connect"
    np.testing.assert_array_equal(table.column("val"), [90.0, 80.0, 82.0, 70.0])


def test_isomorphic_rows_are_one_class_with_their_mean(tmp_path: Path) -> None:
    path = cells(tmp_path / "t.csv", val=[90.0, 80.0, 82.0, ""])
    table = read_table(path)
    # The second has its convolution before node 2, the third before node 1: both lead on through a pooling.
    assert table.groups[1] == table.groups[2]
    assert len(table.first_rows) == 3
    values = table.of_classes("val")
    assert values[table.groups[1]] == 81.0
    assert values[table.groups[0]] == 90.0
    assert np.isnan(values[table.groups[3]])


def test_graphs_become_codes_of_their_space(tmp_path: Path) -> None:
    table = read_table(graphs(tmp_path / "g.csv"))
    second = dict(table.space.assignment(table.codes[1]))
    assert (second["cell.1"], second["cell.2"], second["cell.4.inputs"]) == ("identity", "gcn", "3")


def test_nasbench101_becomes_codes(tmp_path: Path) -> None:
    table = read_table(nasbench101(tmp_path / "t.npz"))
    straight, small, wide = (table.space.decode(row) for row in table.codes)
    assert [node.op for node in straight.nodes] == ["input", "output"]
    assert [node.op for node in small.nodes] == ["input", "conv3x3-bn-relu", "output"]
    assert small.nodes[-1].inputs == (0, 1)
    assert [node.op for node in wide.nodes[1:-1]] == [
        "conv3x3-bn-relu",
        "conv1x1-bn-relu",
        "maxpool3x3",
        "conv1x1-bn-relu",
        "conv3x3-bn-relu",
    ]
    assert list(table.columns) == ["test_acc"]


def test_one_column_a_choice(tmp_path: Path) -> None:
    space = load_space("nasbench101")
    codes = space.sample_codes(np.random.default_rng(0), 5)
    rows = [
        {choice.name: str(choice.values[k]).lower() for choice, k in zip(space.choices, row, strict=True)} | {"acc": i}
        for i, row in enumerate(codes.tolist())
    ]
    table = read_table(write_csv(tmp_path / "t.csv", rows), "nasbench101")
    np.testing.assert_array_equal(table.codes, codes)
    assert list(table.columns) == ["acc"]


def test_inactive_choices_stay_empty(tmp_path: Path) -> None:
    space = load_space("molecular/small")
    codes = space.sample_codes(np.random.default_rng(1), 12)
    codes = np.unique(codes, axis=0)
    rows = [
        {c.name: "" if k < 0 else c.values[k] for c, k in zip(space.choices, row, strict=True)}
        for row in codes.tolist()
    ]
    table = read_table(write_csv(tmp_path / "t.csv", rows), space)
    np.testing.assert_array_equal(table.codes, codes)


def test_proxies_are_joined_by_index(tmp_path: Path) -> None:
    table = read_table(cells(tmp_path / "t.csv"))
    proxies = write_csv(tmp_path / "p.csv", [{"index": 2, "flops": 5.0}, {"index": 0, "flops": 7.0}])
    np.testing.assert_array_equal(table.joined(proxies).column("flops"), [7.0, np.nan, 5.0, np.nan])
    twice = write_csv(tmp_path / "q.csv", [{"index": 2, "flops": 5.0}, {"index": 2, "flops": 7.0}])
    with pytest.raises(DataError, match="holds a value twice"):
        table.joined(twice)


def test_the_wrong_column_is_told(tmp_path: Path) -> None:
    table = read_table(cells(tmp_path / "t.csv", val=[1, 2, 3, 4], note=["", "", "good", ""]))
    with pytest.raises(DataError, match=r"no such column; got 'vall'; accepted: val; did you mean 'val'"):
        table.column("vall")
    with pytest.raises(DataError, match=r"t.csv line 4: 'good': the column holds text; got 'note'"):
        table.column("note")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (CELLS[0], "t.csv line 4: the architecture stands in the table twice; got 't.csv line 2'"),
        (CELLS[0].replace("skip_connect", "jump"), "t.csv line 4: choice 'cell.0->3' has no such value; got 'jump'"),
        ("|none~0|+|none~0|", "t.csv line 4 column 'arch_str': not the text of a cell"),
        ("", "t.csv line 4 column 'arch_str': not the text of a cell"),
    ],
    ids=["twice", "value", "short", "empty"],
)
def test_wrong_cells_are_told(tmp_path: Path, cell: str, message: str) -> None:
    rows = [{"arch_str": text, "val": 1.0} for text in (CELLS[0], CELLS[1], cell)]
    with pytest.raises(DataError) as caught:
        read_table(write_csv(tmp_path / "t.csv", rows))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rows"),
        ("a,b\n", "holds no rows"),
        ("a,a\n1,2\n", "a column stands twice; got 'a'"),
        ("a,b\n1\n", "t.csv line 2: the row has 1 cells; accepted: 2"),
        ('a,b\n"1,2\n', "not CSV"),
        ("a,b\n1,2\n", "no space is named"),
    ],
    ids=["nothing", "header", "twice", "ragged", "quote", "layout"],
)
def test_wrong_files_are_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_table(path)


def test_missing_choices_are_told(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", [{"cell.0->1": "none", "acc": 1}])
    with pytest.raises(DataError, match=r"5 of 6 choices of the space have no column; got 'cell.0->2'"):
        read_table(path, "nasbench201")


def test_other_kinds_of_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "t.csv")
    other = tmp_path / "t.xlsx"
    other.write_bytes(b"")
    with pytest.raises(DataError, match="unknown kind of table"):
        read_table(other)
    latin = tmp_path / "l.csv"
    latin.write_bytes(b"a,b\n1,\xe9\n")
    with pytest.raises(DataError, match=r"l\.csv line 2: not UTF-8"):
        read_table(latin)
    broken = tmp_path / "b.npz"
    broken.write_bytes(b"PK no")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(broken)


def test_wrong_arrays_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="an array is missing; got 'ops'"):
        read_table(nasbench101(tmp_path / "a.npz", ops=None))
    with pytest.raises(DataError, match="arrays of another shape"):
        read_table(nasbench101(tmp_path / "b.npz", ops=np.zeros((2, 5), dtype=np.uint8)))
    with pytest.raises(DataError, match=r"c.npz row 2: the row is no architecture"):
        read_table(nasbench101(tmp_path / "c.npz", adj_upper=np.full((3, 3), 255, dtype=np.uint8)))


def test_the_toy_table_is_whole() -> None:
    table = toy_table()
    assert len(table.codes) == 15_625
    assert len(table.first_rows) == 8_765
    assert np.corrcoef(table.column("validation"), table.column("test"))[0, 1] > 0.9


@pytest.mark.integration
@pytest.mark.parametrize(
    ("file", "rows", "classes"),
    [("nasbench201.csv.gz", 15_625, 8_765), ("nasbenchgraph.csv.gz", 26_206, 26_206)],
)
def test_published_tables(file: str, rows: int, classes: int) -> None:
    if not (DATA / file).is_file():
        pytest.skip(f"{DATA / file} is absent")
    table = read_table(DATA / file)
    assert (len(table.codes), len(table.first_rows)) == (rows, classes)


@pytest.mark.integration
@pytest.mark.slow
def test_nasbench101_has_its_classes() -> None:
    """423,624 digests of as many graphs: ten seconds."""
    if not (DATA / "nasbench101.npz").is_file():
        pytest.skip(f"{DATA} is absent")
    table = read_table(DATA / "nasbench101.npz")
    assert len(table.first_rows) == len(table.codes) == 423_624
    assert round(float(table.column("test_acc").max()), 4) == 0.9432
