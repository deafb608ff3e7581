from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from gnas_molecular import features as module
from gnas_molecular.features import Features, cached_features, compute_features, content_hash

SMILES = ("CCO", "C", "c1ccccc1O", "[Na+]")


def _equal(a: Features, b: Features) -> bool:
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name), equal_nan=True) for f in fields(Features))


def _refuse(smiles: object) -> Features:
    raise AssertionError("featurised again")


def test_the_second_call_reads_what_the_first_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cached_features(SMILES, tmp_path / "new" / "folder")
    monkeypatch.setattr(module, "compute_features", _refuse)
    assert _equal(first, cached_features(SMILES, tmp_path / "new" / "folder"))
    assert len(list((tmp_path / "new" / "folder").iterdir())) == 1


@pytest.mark.parametrize("damage", ["empty", "cut", "garbage", "flipped", "other"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: str) -> None:
    truth = cached_features(SMILES, tmp_path)
    path = next(tmp_path.iterdir())
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    if damage == "other":
        cached_features(SMILES[:2], tmp_path)
        content = next(p for p in tmp_path.iterdir() if p != path).read_bytes()
    changed = {"empty": b"", "cut": content[:-50], "garbage": b"x" * 99, "flipped": bytes(flipped), "other": content}
    path.write_bytes(changed[damage])
    assert _equal(truth, cached_features(SMILES, tmp_path))
    assert _equal(truth, cached_features(SMILES, tmp_path))


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert _equal(cached_features(SMILES, blocked), compute_features(SMILES))


def test_the_hash_depends_on_molecules_and_order() -> None:
    assert content_hash(SMILES) != content_hash(SMILES[::-1])
    assert content_hash(("CC", "O")) != content_hash(("C", "CO"))
