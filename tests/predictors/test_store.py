from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gnas.errors import DataError
from gnas.evaluation import Objective
from gnas.predictors.store import StoredPredictor, load_predictor, save_predictor
from gnas.space import load_space


def stored(name: str = "nasbench201") -> StoredPredictor:
    space = load_space(name, restrict={"cell.0->1": ("none", "nor_conv_3x3")} if name == "nasbench201" else None)
    rng = np.random.default_rng(0)
    codes = space.sample_codes(rng, 12)
    gaps = rng.normal(size=12)
    gaps[3] = np.nan
    return StoredPredictor(
        space,
        Objective("accuracy", "maximize"),
        codes,
        rng.normal(size=12),
        {"proxy": rng.normal(size=12)},
        {"n_params": gaps},
        space.sample_codes(rng, 20),
        7,
        {"labels": {"source": "a.csv"}},
        {"python": "3"},
        rng.normal(size=3),
    )


def same(a: StoredPredictor, b: StoredPredictor) -> bool:
    """Whether two are equal, arrays bit for bit."""
    arrays = all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("codes", "values", "seen", "probe"))
    columns = all(
        list(x) == list(y) and all(np.array_equal(x[k], y[k], equal_nan=True) for k in x)
        for x, y in ((a.extra, b.extra), (a.numbers, b.numbers))
    )
    facts = (a.objective, a.seed, a.about, a.versions) == (b.objective, b.seed, b.about, b.versions)
    spaces = a.space.fingerprint == b.space.fingerprint and a.space.name == b.space.name
    if (a.source is None) != (b.source is None):
        return False
    deeper = a.source is None or b.source is None or same(a.source, b.source)
    return arrays and columns and facts and spaces and deeper


def test_round_trip(tmp_path: Path) -> None:
    one = stored()
    save_predictor(one, tmp_path / "a" / "p")
    assert sorted(path.name for path in (tmp_path / "a" / "p").iterdir()) == ["labels.safetensors", "predictor.json"]
    assert same(load_predictor(tmp_path / "a" / "p"), one)
    assert same(load_predictor(tmp_path / "a" / "p" / "predictor.json"), one)


def test_round_trip_with_the_source_of_a_warm_start(tmp_path: Path) -> None:
    one = replace(stored(), source=stored("darts"))
    save_predictor(one, tmp_path)
    assert same(load_predictor(tmp_path), one)


def test_saving_again_replaces(tmp_path: Path) -> None:
    save_predictor(stored("darts"), tmp_path)
    save_predictor(stored(), tmp_path)
    assert same(load_predictor(tmp_path), stored())


def _json(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "predictor.json"
        data = json.loads(path.read_text(encoding="utf-8"))
        change(data)
        path.write_text(json.dumps(data), encoding="utf-8")

    return damage


def _cut(folder: Path) -> None:
    path = folder / "labels.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "predictor.json").unlink(), "no predictor here"),
        (lambda folder: (folder / "predictor.json").write_text("{", encoding="utf-8"), "not JSON"),
        (lambda folder: (folder / "predictor.json").write_text("[]", encoding="utf-8"), "not a predictor of gnas"),
        (lambda folder: (folder / "labels.safetensors").unlink(), "labels are gone"),
        (lambda folder: (folder / "labels.safetensors").write_bytes(b"nonsense"), "damaged"),
        (_cut, "damaged"),
        (_json(lambda data: data.update(format="other")), "not a predictor of gnas"),
        (_json(lambda data: data.update(version=99)), "does not read.*got 99"),
        (_json(lambda data: data.update(version="1")), "does not read"),
        (_json(lambda data: data.pop("seed")), "damaged.*seed"),
        (_json(lambda data: data.update(extra=["a", "b"])), "damaged"),
        (_json(lambda data: data.update(objective={"name": "y", "direction": "up"})), "damaged.*up"),
        (_json(lambda data: data["space"].update(text="inputs: [x]")), "space cannot be read"),  # type: ignore[attr-defined]
        (_json(lambda data: data["space"].update(fingerprint="0")), "space was changed"),  # type: ignore[attr-defined]
        (_json(lambda data: data["space"].update(restrict=None)), "damaged"),  # type: ignore[attr-defined]
    ],
    ids=[
        "absent", "no json", "a list", "no labels", "foreign labels", "cut", "foreign", "newer", "version", "seed",
        "columns", "direction", "space", "fingerprint", "restrict",
    ],
)  # fmt: skip
def test_what_is_no_predictor(tmp_path: Path, damage: Callable[[Path], None], words: str) -> None:
    save_predictor(stored(), tmp_path)
    damage(tmp_path)
    with pytest.raises(DataError, match=words) as caught:
        load_predictor(tmp_path)
    assert "make it again with: gnas fit" in str(caught.value)


def test_labels_of_another_predictor(tmp_path: Path) -> None:
    save_predictor(stored(), tmp_path / "a")
    save_predictor(stored("darts"), tmp_path / "b")
    (tmp_path / "b" / "labels.safetensors").replace(tmp_path / "a" / "labels.safetensors")
    with pytest.raises(DataError, match="damaged"):
        load_predictor(tmp_path / "a")
