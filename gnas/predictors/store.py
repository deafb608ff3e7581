"""Predictors on disk: labels and settings as JSON and safetensors, nothing executable; models are refitted at load.

A predictor is its labels, its space and its seeds: fitting is a pure function of them. So a file is small, readable,
runs no code of whoever made it, and does not break when a library changes how it keeps its trees.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas.errors import DataError, SpaceError
from gnas.evaluation import Objective
from gnas.predictors.protocol import Vector
from gnas.space.protocol import Codes
from gnas.space.yaml_space import YamlSpace

FORMAT = "gnas-predictor"
VERSION = 1
_JSON, _ARRAYS = "predictor.json", "labels.safetensors"
_REMEDY = "make it again with: gnas fit"


@dataclass(frozen=True, slots=True)
class StoredPredictor:
    """What is kept of a predictor.

    Attributes:
        space: Its space.
        objective: What it predicts.
        codes, values: Labels, `(n, choice)` and `(n,)`.
        extra: Extra columns, name to `(n,)`, in the order the predictor was given them.
        numbers: Other numeric columns of the labels, from which costs are estimated.
        seen: Every architecture evaluated, `(m, choice)`.
        seed: Of the fit.
        about: Figures and facts for reports: where labels came from, what cross-validation found.
        versions: Of python, numpy and the libraries the models come from.
        probe: Predicted means of the first labels at the time of the fit, `(k,)`.
        source: The predictor it was warm-started from, if that helped.
    """

    space: YamlSpace
    objective: Objective
    codes: Codes
    values: Vector
    extra: Mapping[str, Vector]
    numbers: Mapping[str, Vector]
    seen: Codes
    seed: int
    about: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    probe: Vector = field(default_factory=lambda: np.zeros(0))
    source: StoredPredictor | None = None


def save_predictor(stored: StoredPredictor, folder: Path) -> None:
    """Writes a predictor into a folder, made if it is not there; files of the same name are replaced.

    Raises:
        OSError: It cannot be written.
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[Any]] = {}
    text = json.dumps(
        {"format": FORMAT, "version": VERSION, **_plain(stored, arrays, "")}, indent=2, ensure_ascii=False
    )
    for name, write in (
        (_ARRAYS, partial(save_file, arrays)),
        (_JSON, partial(_write_text, text + "\n")),
    ):
        temporary = folder / f"{name}.new"
        write(temporary)
        temporary.replace(folder / name)


def load_predictor(path: Path) -> StoredPredictor:
    """Reads a predictor.

    Args:
        path: The folder, or `predictor.json` in it.

    Raises:
        DataError: Nothing there, not a predictor, a damaged one, or one of a newer gnas.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = path.parent if path.name == _JSON else path
    if not folder.is_dir() or not (folder / _JSON).is_file():
        raise DataError(
            "no predictor here", place=str(path), accepted=f"a folder with {_JSON} and {_ARRAYS}", remedy=_REMEDY
        )
    try:
        data = json.loads((folder / _JSON).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"not JSON ({error})", place=str(folder / _JSON), remedy=_REMEDY) from error
    _check_header(data, folder / _JSON)
    try:
        arrays = load_file(folder / _ARRAYS)
    except FileNotFoundError as error:
        raise DataError("the labels are gone", place=str(folder / _ARRAYS), remedy=_REMEDY) from error
    except (SafetensorError, ValueError) as error:
        raise DataError(f"damaged ({error})", place=str(folder / _ARRAYS), remedy=_REMEDY) from error
    try:
        return _record(data, arrays, "")
    except SpaceError as error:
        raise DataError(f"its space cannot be read ({error})", place=str(folder / _JSON), remedy=_REMEDY) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(
            f"damaged ({type(error).__name__}: {error})", place=str(folder / _JSON), remedy=_REMEDY
        ) from error


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")


def _check_header(data: object, place: Path) -> None:
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise DataError("not a predictor of gnas", place=str(place), accepted=f'"format": "{FORMAT}"', remedy=_REMEDY)
    version = data.get("version")
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise DataError(
            "a format this gnas does not read",
            place=f"{place}: version",
            value=version,
            accepted=f"1 to {VERSION}",
            remedy=f"use the gnas it was made with, or {_REMEDY}",
        )


def _plain(stored: StoredPredictor, arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, Any]:
    """The record as plain values; its arrays go into `arrays` under names that begin with `prefix`."""
    space = stored.space
    for name, array in (
        ("codes", stored.codes),
        ("values", stored.values),
        ("seen", stored.seen),
        ("probe", stored.probe),
    ):
        arrays[prefix + name] = np.ascontiguousarray(array)
    for kind, columns in (("extra", stored.extra), ("numbers", stored.numbers)):
        for index, column in enumerate(columns.values()):
            arrays[f"{prefix}{kind}.{index}"] = np.ascontiguousarray(column)
    return {
        "objective": {"name": stored.objective.name, "direction": stored.objective.direction},
        "space": {
            "name": space.name,
            "file": space.definition.file,
            "restrict": {k: [list(v) if isinstance(v, tuple) else v for v in vs] for k, vs in space.restrict.items()},
            "fingerprint": space.fingerprint,
            "text": space.text,
        },
        "extra": list(stored.extra),
        "numbers": list(stored.numbers),
        "seed": stored.seed,
        "about": dict(stored.about),
        "versions": dict(stored.versions),
        "source": None if stored.source is None else _plain(stored.source, arrays, f"{prefix}source."),
    }


def _record(data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], prefix: str) -> StoredPredictor:
    """The record again.

    Raises:
        ValueError: Arrays and text do not belong together.
    """
    told = data["space"]
    restrict = {str(k): tuple(v) for k, v in told["restrict"].items()}
    space = YamlSpace(str(told["name"]), str(told["text"]), str(told["file"]), restrict or None)
    if space.fingerprint != told["fingerprint"]:
        raise ValueError("the text of the space was changed")
    codes = arrays[f"{prefix}codes"].astype(np.int16)
    values = arrays[f"{prefix}values"].astype(np.float64)
    columns = {
        kind: {str(name): arrays[f"{prefix}{kind}.{i}"].astype(np.float64) for i, name in enumerate(data[kind])}
        for kind in ("extra", "numbers")
    }
    seen = arrays[f"{prefix}seen"].astype(np.int16)
    n = len(values)
    shapes = {array.shape for kind in columns.values() for array in kind.values()} | {values.shape}
    if shapes != {(n,)} or codes.shape != (n, len(space.choices)) or seen.shape[1:] != codes.shape[1:]:
        raise ValueError("arrays of shapes that do not belong together")
    if not np.isfinite(values).all() or not space.contains_codes(codes).all() or not space.contains_codes(seen).all():
        raise ValueError("labels outside the space or not finite")
    direction = data["objective"]["direction"]
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction {direction!r}")
    return StoredPredictor(
        space,
        Objective(str(data["objective"]["name"]), direction),
        codes,
        values,
        columns["extra"],
        columns["numbers"],
        seen,
        int(data["seed"]),
        dict(data["about"]),
        {str(k): str(v) for k, v in data["versions"].items()},
        arrays[f"{prefix}probe"].astype(np.float64),
        None if data["source"] is None else _record(data["source"], arrays, f"{prefix}source."),
    )
