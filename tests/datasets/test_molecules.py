from pathlib import Path

import gnas_datasets
import pytest
from gnas_datasets import CARDS
from gnas_datasets import molecules as loaders

from gnas.errors import DataError, MissingExtraError


@pytest.mark.parametrize("name", sorted(CARDS))
def test_every_card_is_true_of_its_data(name: str) -> None:
    card, columns = loaders.load(name)
    assert set(columns) == set(card.columns)
    assert {len(values) for values in columns.values()} == {card.rows}
    assert all(columns[card.smiles])
    for target in card.targets:
        assert all(abs(float(value)) < 100 for value in columns[target])
    assert card.licence and card.source and card.unit


def test_solubility_keeps_the_distributed_split() -> None:
    _, columns = loaders.load("solubility")
    assert columns["split"].count("train") == 1025
    assert columns["split"].count("test") == 257


def test_an_unknown_dataset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"freesolv, solubility"):
        loaders.load("freesolve")


def test_an_absent_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"gnas\[molecular\]"):
        loaders.load("freesolv")


def test_a_shortened_file_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    short = tmp_path / "freesolv.csv"
    short.write_text("iupac,smiles,expt,calc\nmethane,C,2.0,2.1\n")
    monkeypatch.setattr(loaders, "_paths", lambda card: [short])
    with pytest.raises(DataError, match=r"1 rows"):
        loaders.load("freesolv")


def test_public_names_are_sorted() -> None:
    assert gnas_datasets.__all__ == sorted(gnas_datasets.__all__)
