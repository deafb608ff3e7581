import gzip
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from gnas_molecular.tables import read_table
from rdkit import Chem

from gnas.errors import DataError

TEXT = 'smiles,y,name\nCCO,1.5,ethanol\n\n"CCC",2,"two\nlines"\nCCCC,3,butane\n'


def test_csv_keeps_the_lines_of_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\ufeff" + TEXT, encoding="utf-8")
    table = read_table(path)
    assert table.columns["smiles"] == ("CCO", "CCC", "CCCC")
    assert table.columns["name"][1] == "two\nlines"
    assert table.lines == (2, 4, 6)
    assert table.place(2) == "a.csv line 6"


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "semicolon.csv", "a.parquet", "a.sdf", "a.sdf.gz"])
def test_every_kind_of_file_gives_the_same_columns(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    smiles, values = ["CCO", "c1ccccc1"], ["1.5", "2.5"]
    if "parquet" in name:
        pyarrow.parquet.write_table(pyarrow.table({"smiles": smiles, "y": values}), path)
    else:
        if "sdf" in name:
            text = "".join(
                f"{Chem.MolToMolBlock(Chem.MolFromSmiles(s))}>  <y>\n{v}\n\n$$$$\n"
                for s, v in zip(smiles, values, strict=True)
            )
        else:
            separator = "\t" if "tsv" in name else ";" if "semicolon" in name else ","
            rows = [("smiles", "y"), *zip(smiles, values, strict=True)]
            text = "".join(separator.join(row) + "\n" for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    table = read_table(path)
    assert table.columns["smiles"] == tuple(smiles)
    assert table.columns["y"] == tuple(values)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"smiles,y\n", "no rows"),
        ("a.csv", b"smiles,y\nCC,1\nCC\n", "a.csv line 3: 1 fields; accepted: 2 fields"),
        ("a.csv", b"smiles,y,y\nCC,1,2\n", "two columns have one name"),
        ("a.csv", b"smiles,y\nCC,1\nC\xff,2\n", "a.csv line 3: not UTF-8"),
        ("a.csv", b'smiles,y\n"CC,1\n', "cannot be read as CSV"),
        ("a.csv.gz", b"not gzip", "cannot be read"),
        ("a.csv.gz", gzip.compress(b"smiles,y\nCC,1\n" * 100, mtime=0)[:-20], "cannot be read"),
        ("a.parquet", b"not parquet", "not a Parquet file"),
        ("a.sdf", b"", "no rows"),
        ("a.xlsx", b"", "unknown kind of file"),
        ("a.parquet.gz", b"", "unknown kind of file"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_table(path)


def test_a_misspelt_file_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "molecules.csv").write_text(TEXT)
    with pytest.raises(DataError, match=r"did you mean 'molecules.csv'"):
        read_table(tmp_path / "molecule.csv")


def test_a_misspelt_column_is_suggested(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(TEXT)
    with pytest.raises(DataError, match=r"data.targets: no such column.*'nam'.*smiles, y, name.*'name'"):
        read_table(path).column("nam", "targets")


def test_an_unreadable_record_of_an_sdf_keeps_its_place(tmp_path: Path) -> None:
    good = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
    bad = good.replace("  3  2", " 99  2", 1)
    path = tmp_path / "a.sdf"
    path.write_text(f"{good}$$$$\n{bad}$$$$\n{good}$$$$\n")
    table = read_table(path)
    assert table.columns["smiles"] == ("CCO", "", "CCO")
    assert table.place(1) == "a.sdf record 2"
