import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnas.data.parts import PARTS, Parts, balanced_split, random_split, stratified_split, time_split

FRACTIONS = (0.8, 0.1, 0.1)
KEYS = st.lists(st.integers(0, 30), min_size=20, max_size=120)


def _all(parts: Parts) -> list[int]:
    return sorted(np.concatenate([parts.of(part) for part in PARTS]).tolist())


@settings(deadline=None, max_examples=50)
@given(KEYS, st.integers(0, 99))
def test_groups_stay_whole_and_nothing_is_lost(keys: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = balanced_split(keys, FRACTIONS, rng)
    assert _all(parts) == list(range(len(keys)))
    seen = [{keys[i] for i in parts.of(part)} for part in PARTS]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    # NOTE: a group larger than the training fraction has no better place than training.
    assert len(parts.train) <= 0.8 * len(keys) + 1e-9 or len(seen[0]) == 1


@settings(deadline=None, max_examples=50)
@given(KEYS, st.integers(0, 99))
def test_a_seed_gives_one_balanced_split(keys: list[int], seed: int) -> None:
    first = balanced_split(keys, FRACTIONS, np.random.default_rng(seed))
    again = balanced_split(keys, FRACTIONS, np.random.default_rng(seed))
    assert all(np.array_equal(first.of(part), again.of(part)) for part in PARTS)


def test_seeds_give_different_balanced_splits() -> None:
    keys = list(range(100))
    tests = {tuple(balanced_split(keys, FRACTIONS, np.random.default_rng(seed)).test) for seed in range(5)}
    assert len(tests) == 5


def test_big_groups_train_in_the_balanced_split() -> None:
    keys = ["big"] * 30 + list(range(70))
    for seed in range(10):
        parts = balanced_split(keys, FRACTIONS, np.random.default_rng(seed))
        assert set(range(30)) <= set(parts.train.tolist())


def test_a_huge_group_trains_whatever_the_seed() -> None:
    keys = ["huge"] * 80 + list(range(20))
    for seed in range(10):
        parts = balanced_split(keys, FRACTIONS, np.random.default_rng(seed))
        assert parts.train.tolist() == list(range(80))
        assert len(parts.validation) == len(parts.test) == 10


@settings(deadline=None, max_examples=50)
@given(st.integers(20, 200), st.integers(0, 99))
def test_random_parts_have_the_sizes_asked_for(n: int, seed: int) -> None:
    parts = random_split(n, FRACTIONS, np.random.default_rng(seed))
    assert _all(parts) == list(range(n))
    assert abs(len(parts.train) - 0.8 * n) <= 1
    assert abs(len(parts.test) - 0.1 * n) <= 1


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(2000, 2030), min_size=20, max_size=100))
def test_time_goes_forward_and_equal_times_stay_together(times: list[int]) -> None:
    parts = time_split(times, FRACTIONS)
    assert _all(parts) == list(range(len(times)))
    years = [[times[i] for i in parts.of(part)] for part in PARTS]
    for earlier, later in ((0, 1), (1, 2), (0, 2)):
        if years[earlier] and years[later]:
            assert max(years[earlier]) < min(years[later])


def test_time_split_of_distinct_times_has_the_sizes_asked_for() -> None:
    parts = time_split(list(range(100))[::-1], FRACTIONS)
    assert [len(parts.of(part)) for part in PARTS] == [80, 10, 10]
    assert parts.test.tolist() == list(range(10))


@pytest.mark.parametrize("part", PARTS)
def test_positions_ascend(part: str) -> None:
    parts = random_split(50, FRACTIONS, np.random.default_rng(0))
    positions = {"train": parts.train, "validation": parts.validation, "test": parts.test}[part]
    assert (np.diff(positions) > 0).all()


@settings(deadline=None, max_examples=50)
@given(KEYS, st.integers(0, 99))
def test_classes_have_equal_shares_and_all_train(keys: list[int], seed: int) -> None:
    parts = stratified_split(keys, FRACTIONS, np.random.default_rng(seed))
    assert _all(parts) == list(range(len(keys)))
    assert {keys[i] for i in parts.train} == set(keys)
    for key in set(keys):
        n = keys.count(key)
        assert abs(sum(keys[i] == key for i in parts.train) - 0.8 * n) <= 1
