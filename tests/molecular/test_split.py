import numpy as np
from gnas_molecular.split import scaffold_split
from hypothesis import given, settings
from hypothesis import strategies as st

from gnas.data.parts import PARTS

FRACTIONS = (0.8, 0.1, 0.1)
KEYS = st.lists(st.integers(0, 30), min_size=20, max_size=120)


@settings(deadline=None, max_examples=50)
@given(KEYS)
def test_groups_stay_whole_and_nothing_is_lost(keys: list[int]) -> None:
    parts = scaffold_split(keys, FRACTIONS)
    assert sorted(np.concatenate([parts.of(part) for part in PARTS]).tolist()) == list(range(len(keys)))
    seen = [{keys[i] for i in parts.of(part)} for part in PARTS]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    # NOTE: a group larger than the training fraction has no better place than training.
    assert len(parts.train) <= 0.8 * len(keys) + 1e-9 or len(seen[0]) == 1


def test_the_largest_scaffolds_train() -> None:
    keys = ["rare", *["b"] * 3, *["a"] * 12, *["c"] * 2, "x", "y"]
    parts = scaffold_split(keys, FRACTIONS)
    assert {keys[i] for i in parts.train} == {"a", "b", "y"}
    # NOTE: ties in size go to the scaffold seen last, and `c` fits beside neither training nor validation's rest.
    assert {keys[i] for i in parts.validation} == {"c"}
    assert {keys[i] for i in parts.test} == {"x", "rare"}
