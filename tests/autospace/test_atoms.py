from __future__ import annotations

import numpy as np

from gnas.autospace.atoms import AtomTable, Classes


def kept_where(classes: Classes, atoms: np.ndarray, kept: np.ndarray) -> list[bool]:
    return [bool(b) for b in kept[classes.label[atoms]]]


def removed(classes: Classes, atoms: np.ndarray) -> np.ndarray:
    """All kept but the classes of `atoms`, closed under products."""
    kept = np.ones(len(classes.frozen), dtype=bool)
    kept[classes.label[atoms]] = False
    return classes.close(kept & ~classes.refined)


def test_ties_are_followed() -> None:
    table = AtomTable()
    a, b, c = table.fresh(3), table.fresh(3), table.fresh(3)
    table.tie(a, b)
    table.tie(b, c[::-1])
    classes = table.solve()
    assert kept_where(classes, c, removed(classes, a[:1])) == [True, True, False]


def test_frozen_spreads_over_ties_only() -> None:
    table = AtomTable()
    a, b, c = table.fresh(2), table.fresh(2), table.fresh(2)
    table.tie(a, b)
    table.freeze(b)
    classes = table.solve()
    assert classes.frozen[classes.label[a]].all() and not classes.frozen[classes.label[c]].any()


def test_a_product_is_kept_where_all_factors_are() -> None:
    table = AtomTable()
    whole, heads, places = table.fresh(6), table.fresh(2), table.fresh(3)
    table.product(whole.reshape(2, 3), (heads, places))
    classes = table.solve()
    assert kept_where(classes, whole, removed(classes, heads[1:])) == [True] * 3 + [False] * 3
    assert kept_where(classes, whole, removed(classes, places[1:2])) == [True, False, True] * 2


def test_a_frozen_part_of_a_product_freezes_its_factors() -> None:
    table = AtomTable()
    whole, heads, places = table.fresh(6), table.fresh(2), table.fresh(3)
    table.product(whole.reshape(2, 3), (heads, places))
    table.freeze(whole[:3])
    classes = table.solve()
    assert classes.frozen[classes.label[heads]].tolist() == [True, False]
    assert classes.frozen[classes.label[places]].all()


def test_two_factorings_of_one_dimension_agree() -> None:
    table = AtomTable()
    whole = table.fresh(6)
    parts = [(table.fresh(2), table.fresh(3)) for _ in range(2)]
    for heads, places in parts:
        table.product(whole.reshape(2, 3), (heads, places))
    classes = table.solve()
    for one, other in zip(*parts, strict=True):
        assert classes.label[one].tolist() == classes.label[other].tolist()


def test_factorings_by_other_sizes_make_coarser_groups() -> None:
    """Six channels as 2 x 3 and as 3 x 2: what is left of both must be a grid in both."""
    table = AtomTable()
    whole = table.fresh(6)
    a, b = (table.fresh(2), table.fresh(3)), (table.fresh(3), table.fresh(2))
    table.product(whole.reshape(2, 3), a)
    table.product(whole.reshape(3, 2), b)
    classes = table.solve()
    for factor in (*a, *b):
        for atom in factor:
            kept = removed(classes, np.array([atom]))
            grid = kept[classes.label[whole]]
            assert all((grid == np.outer(*(kept[classes.label[f]] for f in pair)).ravel()).all() for pair in (a, b)), (
                "a removal left no grid"
            )


def test_a_product_of_itself_stays_whole() -> None:
    table = AtomTable()
    whole, other = table.fresh(4), table.fresh(2)
    table.product(whole.reshape(2, 2), (whole[:2], other))
    classes = table.solve()
    assert classes.frozen[classes.label[whole[0]]]
