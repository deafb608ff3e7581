"""Files of nas-bench-graph: numbers come in, code stays out."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gnas_tabular import pickles
from gnas_tabular.pickles import installed_bench, read_bench
from gnas_tabular.table import read_table

from gnas.errors import DataError, MissingExtraError

ROW = {"valid_perf": 0.77, "perf": 0.79, "latency": 0.006, "para": np.float64(1.5)}


class Touch:
    """Unpickled the usual way, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def write(path: Path, held: object, protocol: int = 3) -> Path:
    path.write_bytes(pickle.dumps(held, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_numbers_are_read(tmp_path: Path, protocol: int) -> None:
    path = write(tmp_path / "cora.bench", {0: ROW, 10001: {**ROW, "para": 2.5}, 88234: ROW}, protocol)
    cells, numbers = read_bench(path)
    assert cells["link"] == ("0000", "0001", "0123")
    assert cells["op4"] == ("gat", "gcn", "sage")
    np.testing.assert_array_equal(numbers["cora_params_m"], [1.5, 2.5, 1.5])
    table = read_table(path)
    assert table.space.name == "benchmarks/nasbenchgraph"
    np.testing.assert_array_equal(table.column("cora_test"), [0.79] * 3)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_is_not_executed(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "made"
    path = write(tmp_path / "cora.bench", {0: {"perf": Touch(target)}}, protocol)
    with pytest.raises(DataError, match=r"was not executed: it asks for (posix|nt|os)\.mkdir"):
        read_bench(path)
    assert not target.exists()
    pickle.loads(path.read_bytes())
    assert target.exists(), "the same bytes do run code in the ordinary unpickler"


CRAFTED = {
    "eval": b"c__builtin__\neval\n(Vprint(1)\ntR.",
    "getattr": b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.",
    "attribute of an admitted name": b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
    "state for an admitted name": b"\x80\x02cnumpy\ndtype\n}X\x01\x00\x00\x00aK\x01sb.",
    "persistent": b"Pid\n.",
    "instance": b"(ios\nsystem\n.",
    "object of bytes": b"\x80\x02cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R.",
    "scalar of nothing": b"\x80\x03cnumpy.core.multiarray\nscalar\nK\x01K\x02\x86R.",
    "extension": b"\x80\x02\x82\x01.",
}


@pytest.mark.parametrize("content", CRAFTED.values(), ids=CRAFTED.keys())
def test_crafted_pickles_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cora.bench"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_bench(path)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ([1, 2], "no table of architectures"),
        ({}, "no table of architectures"),
        ({"a": ROW}, "not a row of numbers"),
        ({0: {"perf": "high"}}, "not a row of numbers"),
        ({990000: ROW}, "not the number of an architecture; got 990000"),
        ({9: ROW}, "not the number of an architecture; got 9"),
    ],
    ids=["list", "empty", "key", "text", "link", "op"],
)
def test_other_contents_are_told(tmp_path: Path, held: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_bench(write(tmp_path / "cora.bench", held))


def test_a_truncated_file_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "cora.bench", {0: ROW})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        read_bench(path)


def test_the_installed_package_is_looked_up_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "light").mkdir()
    path = write(tmp_path / "light" / "cora.bench", {0: ROW})
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(pickles, "find_spec", lambda name: spec if name == "nas_bench_graph" else None)
    assert installed_bench("cora") == path
    assert "nas_bench_graph" not in sys.modules
    with pytest.raises(DataError, match=r"no such dataset; got 'coar'; accepted: cora; did you mean 'cora'"):
        installed_bench("coar")
    monkeypatch.setattr(pickles, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'gnas\[tabular\]'"):
        installed_bench("cora")
