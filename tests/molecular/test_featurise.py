import numpy as np
import pytest
from gnas_molecular import featurise as f

CAFFEINE = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"


def test_shapes_are_those_declared() -> None:
    graph = f.molecule_graph(f.parse(CAFFEINE))
    assert graph.atoms.shape == (14, f.ATOM_FEATURES)
    assert graph.bonds.shape == (30, f.BOND_FEATURES)
    assert graph.edge_index.shape == (2, 30)
    assert graph.positional.shape == (14, f.WALK_LENGTH)
    assert {a.dtype for a in (graph.atoms, graph.bonds, graph.positional)} == {np.dtype(np.float32)}


def test_both_directions_of_a_bond_are_adjacent_and_equal() -> None:
    graph = f.molecule_graph(f.parse(CAFFEINE))
    np.testing.assert_array_equal(graph.edge_index[:, 0::2], graph.edge_index[::-1, 1::2])
    np.testing.assert_array_equal(graph.bonds[0::2], graph.bonds[1::2])


@pytest.mark.parametrize("smiles", ["C", "[Na+]", "[Cl-].[Na+]"])
def test_molecules_without_bonds_have_empty_bond_arrays(smiles: str) -> None:
    graph = f.molecule_graph(f.parse(smiles))
    assert graph.bonds.shape == (0, f.BOND_FEATURES)
    assert graph.edge_index.shape == (2, 0)
    assert not graph.positional.any()


def test_each_one_hot_block_sums_to_one() -> None:
    sizes = [len(c) + 1 for c in (f.ELEMENTS, f.DEGREES, f.CHARGES, f.HYDROGENS, f.HYBRIDISATIONS, f.CHIRALITIES)]
    for smiles in (CAFFEINE, "[Fe+3]", "F[P-](F)(F)(F)(F)F", "C[C@H](N)C(=O)O"):
        atoms = f.molecule_graph(f.parse(smiles)).atoms
        for block in np.split(atoms, np.cumsum(sizes), axis=1)[:-1]:
            np.testing.assert_array_equal(block.sum(axis=1), 1)


def test_chirality_and_double_bond_geometry_are_seen() -> None:
    left, right = (f.molecule_graph(f.parse(s)).atoms for s in ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"))
    assert (left != right).any()
    e, z = (f.molecule_graph(f.parse(s)).bonds for s in ("C/C=C/C", "C/C=C\\C"))
    assert (e != z).any()


def test_walk_returns_of_a_triangle() -> None:
    returns = f.molecule_graph(f.parse("C1CC1")).positional
    np.testing.assert_allclose(returns[:, :4], np.tile([0, 0.5, 0.25, 0.375], (3, 1)), atol=1e-6)


def test_features_do_not_depend_on_the_order_of_atoms() -> None:
    a, b = (f.molecule_graph(f.parse(s)) for s in ("CCO", "OCC"))
    np.testing.assert_allclose(np.hstack([a.atoms, a.positional]), np.hstack([b.atoms, b.positional])[::-1])


def test_descriptors_are_finite_or_missing_and_named() -> None:
    names = f.descriptor_names()
    assert len(names) == len(set(names)) == 217
    large = "C" * 150
    for smiles in ("C", CAFFEINE, "[Na+]", large):
        values = f.descriptors(f.parse(smiles))
        assert values.shape == (217,)
        assert not np.isinf(values).any()
        assert np.nanmax(np.abs(values)) <= 1e9
    assert f.descriptors(f.parse("CCO"))[names.index("MolWt")] == pytest.approx(46.069, abs=1e-3)


def test_morgan_counts_count() -> None:
    counts = f.morgan_counts([f.parse("C" * 10), f.parse("C" * 400)], bits=1024)
    assert counts.shape == (2, 1024)
    assert counts[0].max() == 8 and counts[1].max() == 255


def test_scaling_fills_gaps_and_clips() -> None:
    scaler = {"fill": [1.0, 2.0], "mean": [1.0, 0.0], "std": [2.0, 1.0], "clip": 5.0}
    scaled = f.scale_descriptors(np.array([[np.nan, 100.0], [5.0, -100.0]]), scaler)
    np.testing.assert_array_equal(scaled, [[0, 5], [2, -5]])


def test_a_bad_smiles_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cannot read"):
        f.parse("C1CC")
