import pytest
from gnas_molecular.standardise import Standardiser, UnparsableError, inchi_key, scaffold


def test_salts_are_stripped_unless_asked_not_to() -> None:
    assert Standardiser()("CC(=O)[O-].[Na+]") == "CC(=O)[O-]"
    assert Standardiser(salts=False)("CC(=O)[O-].[Na+]") == "CC(=O)[O-].[Na+]"


def test_charges_and_tautomers_are_optional() -> None:
    assert Standardiser(uncharge=True)("CC(=O)[O-].[Na+]") == "CC(=O)O"
    enol, ketone = "CC(O)=C", "CC(C)=O"
    assert Standardiser()(enol) != Standardiser()(ketone)
    assert Standardiser(tautomers=True)(enol) == Standardiser(tautomers=True)(ketone)


@pytest.mark.parametrize("smiles", ["OCC", "C(O)C", " CCO ", "[CH3][CH2][OH]"])
def test_spellings_of_a_molecule_become_one(smiles: str) -> None:
    assert Standardiser()(smiles) == "CCO"


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("not a smiles", "not a SMILES"),
        ("C1CC", "not a SMILES"),
        ("C(C)(C)(C)(C)C", "valence"),
    ],
)
def test_an_unparsable_smiles_has_a_reason(smiles: str, reason: str) -> None:
    with pytest.raises(UnparsableError, match=reason):
        Standardiser()(smiles)


def test_keys_tell_molecules_apart_and_enantiomers_too() -> None:
    assert inchi_key("CCO") == inchi_key("OCC") == "LFQSCWFLJHTTHZ-UHFFFAOYSA-N"
    assert inchi_key("C[C@H](N)O") != inchi_key("C[C@@H](N)O")


def test_scaffolds_are_ring_systems_without_chirality() -> None:
    assert scaffold("CCc1ccccc1") == scaffold("OC(=O)c1ccccc1") == "c1ccccc1"
    assert scaffold("C[C@H]1CC[C@@H](c2ccccc2)C1") == scaffold("C[C@@H]1CC[C@H](c2ccccc2)C1")
    assert scaffold("CCO") == ""
