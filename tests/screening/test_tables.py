from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from gnas.architecture import Value
from gnas.errors import DataError
from gnas.screening.coding import Coder, number_columns, numbers
from gnas.screening.tables import read_blocks, read_table
from gnas.space import load_space
from tests.screening.samples import some_codes, space, write_codes


def test_a_table_reads_back_as_the_codes_it_was_written_from(tmp_path: Path) -> None:
    codes = some_codes(40)
    path = write_codes(tmp_path / "a.csv", space(), codes, {"y": range(40)})
    block = read_table(path)
    assert (Coder(space()).codes(block) == codes).all()
    assert (numbers(block, "y") == np.arange(40)).all()


def test_choices_of_lists_and_inactive_choices_read_back(tmp_path: Path) -> None:
    darts = load_space("darts")
    default = load_space("molecular/default")
    for one in (darts, default):
        codes = one.sample_codes(np.random.default_rng(0), 50)
        path = write_codes(tmp_path / "a.csv", one, codes, {})
        assert (Coder(one).codes(read_table(path)) == codes).all()


def test_blocks_together_are_the_table_and_know_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\ufeffa,b\n1,2\n\n3,4\n5,6\n", encoding="utf-8")
    blocks = [*read_blocks(path, 2)]
    assert [block.lines for block in blocks] == [(2, 4), (5,)]
    assert read_table(path).rows == (("1", "2"), ("3", "4"), ("5", "6"))
    assert read_table(path).place(1, "b") == f"{path} line 4, column 'b'"


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a\n1\n"))
    assert read_table(path).rows == (("1",),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"a,a\n1,2\n", "named twice"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1\n", "line 2"),
        (b"a,b\n1,\xff\n", "UTF-8"),
    ],
    ids=["empty", "twice", "no rows", "ragged", "encoding"],
)
def test_what_is_no_table(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_table(path)


def test_no_gzip(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"a\n1\n")
    with pytest.raises(DataError, match="not a CSV file"):
        read_table(path)


def test_numbers_may_be_written_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "hidden,depth,conv,norm,readout,descriptors\n32.0,1.0,gin,none,sum,False\n6.4e1,2,gcn,batch,max,TRUE\n",
        encoding="utf-8",
    )
    rows = Coder(space()).codes(read_table(path))
    names = [choice.name for choice in space().choices]
    taken: list[tuple[Value, ...]] = [(32, 1, "gin", "none", "sum", False), (64, 2, "gcn", "batch", "max", True)]
    expected = [space().encode(dict(zip(names, values, strict=True))) for values in taken]
    assert (rows == np.stack(expected)).all()


def test_a_value_of_an_inactive_choice_changes_nothing_and_is_counted(tmp_path: Path) -> None:
    default = load_space("molecular/default")
    codes = default.sample_codes(np.random.default_rng(0), 30)
    full = np.where(codes < 0, np.int16(0), codes)
    coder = Coder(default)
    assert (coder.codes(read_table(write_codes(tmp_path / "a.csv", default, full, {}))) == codes).all()
    assert coder.dropped == (codes < 0).sum() > 0


def test_number_columns_leave_text_and_empty_ones_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b,c,d\n1,x,,2\n,y,,3\n", encoding="utf-8")
    found = number_columns(read_table(path), ("d",))
    assert list(found) == ["a"]
    assert found["a"][0] == 1
    assert np.isnan(found["a"][1])
