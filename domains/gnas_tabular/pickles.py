"""Files of the package `nas-bench-graph`, which are pickles, read without running anything they hold.

A pickle is a program: it may name any function and call it. The unpickler here admits two names, those by which NumPy
writes a single number, and puts stand-ins of ours in their place; any other name ends the reading. What comes out is
checked to be a table of numbers.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnas.errors import DataError, MissingExtraError
from gnas.space.marks import suggestion

PACKAGE = "nas_bench_graph"
ENDING = ".bench"

_LINKS = ("0000", "0001", "0011", "0012", "0013", "0111", "0112", "0122", "0123")
_OPS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
_COLUMNS = {"valid_perf": "valid", "perf": "test", "latency": "latency", "para": "params_m"}
_FORMATS = {"f8": "<d", "f4": "<f", "i8": "<q", "i4": "<i"}


class _Refused(pickle.UnpicklingError):
    """The pickle asks for more than containers and numbers."""


class _Dtype:
    """Stands in for `numpy.dtype`: a format of one number."""

    __slots__ = ("format",)

    def __init__(self, name: object, *_: object) -> None:
        if not isinstance(name, str) or name not in _FORMATS:
            raise _Refused(f"dtype {name!r}")
        self.format = _FORMATS[name]

    def __setstate__(self, state: object) -> None:
        """Byte order and layout, which single little-endian numbers do not need."""
        if not (isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", "|", "=")):
            raise _Refused("a dtype of another byte order")


class _MakeDtype:
    """What the name `numpy.dtype` gives: makes stand-ins, takes no state."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> _Dtype:
        return _Dtype(*arguments)

    def __setstate__(self, state: object) -> None:
        raise _Refused("state for a function")


class _MakeScalar:
    """What the name `numpy.core.multiarray.scalar` gives: reads one number, takes no state."""

    __slots__ = ()

    def __call__(self, dtype: object, raw: object) -> float:
        if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes) or len(raw) != struct.calcsize(dtype.format):
            raise _Refused("a number that is none")
        return float(struct.unpack(dtype.format, raw)[0])

    def __setstate__(self, state: object) -> None:
        raise _Refused("state for a function")


_ADMITTED = {
    ("numpy", "dtype"): _MakeDtype(),
    ("numpy.core.multiarray", "scalar"): _MakeScalar(),
    ("numpy._core.multiarray", "scalar"): _MakeScalar(),
}


class _Unpickler(pickle.Unpickler):
    """Builds containers and numbers; refuses every name but those of `_ADMITTED`."""

    def find_class(self, module_name: str, global_name: str, /) -> object:
        """The stand-in for an admitted name."""
        if (module_name, global_name) not in _ADMITTED:
            raise _Refused(f"it asks for {module_name}.{global_name}")
        return _ADMITTED[module_name, global_name]

    def persistent_load(self, pid: object, /) -> object:
        """Nothing is loaded from elsewhere."""
        raise _Refused("it refers to an object outside")


def installed_bench(dataset: str) -> Path:
    """The file of a dataset (`cora`) in the installed package `nas-bench-graph`, which is looked up, not imported.

    Raises:
        MissingExtraError: The package is not installed.
        DataError: It has no such dataset.
    """
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError.of("nas-bench-graph", "tabular")
    folder = Path(next(iter(found.submodule_search_locations))) / "light"
    path = folder / f"{dataset}{ENDING}"
    if not path.is_file():
        names = sorted(file.stem for file in folder.glob(f"*{ENDING}"))
        raise DataError(
            "nas-bench-graph has no such dataset",
            place="data.dataset",
            value=dataset,
            accepted=", ".join(names),
            remedy=suggestion(dataset, names) or None,
        )
    return path


def read_bench(path: Path) -> tuple[dict[str, tuple[str, ...]], dict[str, NDArray[np.float64]]]:
    """Architectures (`link`, `op1` to `op4`) and numbers (`cora_valid`, `cora_test`, …) of a `.bench` file.

    Source: Qin et al. 2022, arXiv:2206.09166; keys number links and ops as the package does.

    Raises:
        DataError: It cannot be read, holds anything but containers and numbers, or is no such table.
    """
    try:
        held = _Unpickler(io.BytesIO(path.read_bytes())).load()
    except _Refused as error:
        raise DataError(
            f"the pickle holds more than numbers, and was not executed: {error}",
            place=str(path),
            remedy="take the file from the package nas-bench-graph, or a CSV with `link` and `op1` to `op4`",
        ) from error
    except (
        OSError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        pickle.PickleError,
    ) as error:
        raise DataError(f"the table cannot be read ({type(error).__name__}: {error})", place=str(path)) from error
    name = path.name.removesuffix(ENDING)
    rows = _rows(held, path)
    numbers = {
        f"{name}_{short}": np.array([float(row.get(key, np.nan)) for row in rows.values()])
        for key, short in _COLUMNS.items()
    }
    return _architectures(list(rows), path), numbers


def _rows(held: object, path: Path) -> Mapping[int, Mapping[str, float]]:
    if not isinstance(held, dict) or not held:
        raise DataError("no table of architectures", place=str(path), value=type(held).__name__)
    for key, row in held.items():
        numbers = isinstance(row, dict) and all(type(value) in (int, float) for value in row.values())
        if type(key) is not int or not numbers:
            raise DataError("not a row of numbers", place=f"{path} key {str(key)[:40]!r}")
    return held


def _architectures(keys: list[int], path: Path) -> dict[str, tuple[str, ...]]:
    """A key holds the number of the link, then four digits that number the ops."""
    links, columns = [], []
    for key in keys:
        link, digits = key // 10**4, [key // 10**power % 10 for power in (3, 2, 1, 0)]
        if not 0 <= link < len(_LINKS) or max(digits) >= len(_OPS):
            raise DataError("not the number of an architecture", place=str(path), value=key)
        links.append(_LINKS[link])
        columns.append([_OPS[digit] for digit in digits])
    return {"link": tuple(links)} | {f"op{k + 1}": tuple(row[k] for row in columns) for k in range(4)}
