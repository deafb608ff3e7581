from gnas.data.rotation import validation_blocks


def blocks_of(keys: list[str], size: int) -> list[list[int]]:
    return [block.tolist() for block in validation_blocks(keys, size, lambda block: True)]


def test_blocks_are_disjoint_and_about_as_large_as_asked() -> None:
    found = blocks_of([str(i // 2) for i in range(60)], 10)
    assert len(found) == 6
    assert sorted(i for block in found for i in block) == list(range(60))
    assert all(len(block) == 10 for block in found)


def test_groups_stay_together_and_large_ones_in_training() -> None:
    keys = ["large"] * 6 + [str(i // 3) for i in range(54)]
    found = blocks_of(keys, 10)
    inside = [{keys[i] for i in block} for block in found]
    assert not any("large" in names for names in inside)
    assert sum(map(len, inside)) == len(set().union(*inside))
    assert all(5 <= len(block) <= 10 for block in found)


def test_what_is_left_over_is_no_block() -> None:
    assert [len(block) for block in blocks_of([str(i) for i in range(23)], 10)] == [10, 10]


def test_a_block_that_is_not_usable_is_left_out() -> None:
    keys = [str(i) for i in range(40)]
    first = validation_blocks(keys, 10, lambda block: True)[0]
    (only,) = validation_blocks(keys, 10, lambda block: first[0] in block)
    assert only.tolist() == first.tolist()
