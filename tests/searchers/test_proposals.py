from __future__ import annotations

import numpy as np
import pytest

from gnas.architecture import Architecture
from gnas.searchers.proposals import Proposals
from gnas.testing.chain import ChainSpace, MemoryStudy


def rows(space: ChainSpace, *assignments: dict[str, object]) -> np.ndarray:
    return np.stack([space.encode(assignment) for assignment in assignments])  # type: ignore[arg-type]


def test_order_of_preference_is_kept() -> None:
    space = ChainSpace()
    codes = space.sample_codes(np.random.default_rng(0), 40)
    proposals = Proposals(MemoryStudy(space=space), 12)
    assert proposals.offer(codes) == 12
    expected = list(dict.fromkeys(space.decode(row).digest for row in codes))[:12]
    assert [architecture.digest for architecture in proposals.architectures] == expected


@pytest.mark.parametrize("n", [1, 3, 20])
def test_isomorphic_rows_are_one(n: int) -> None:
    space = ChainSpace(depth=2)
    same = rows(
        space,
        {"depth": 1, "width": 8, "op.1": "pool"},
        {"depth": 2, "width": 8, "op.1": "pool", "op.2": "skip"},
        {"depth": 2, "width": 8, "op.1": "skip", "op.2": "pool"},
    )
    proposals = Proposals(MemoryStudy(space=space), n)
    assert proposals.offer(same) == 1
    evaluated = MemoryStudy(space=space).told(space.decode(same[0]), None, status="failed")
    assert Proposals(evaluated, n).offer(same) == 0


def test_at_most() -> None:
    space = ChainSpace()
    proposals = Proposals(MemoryStudy(space=space), 9)
    codes = space.sample_codes(np.random.default_rng(0), 40)
    assert proposals.offer(codes, at_most=1) == 1
    assert proposals.offer(codes, at_most=0) == 0
    assert proposals.missing == 8


def test_feasibility_is_checked_only_as_far_as_needed() -> None:
    checked: list[Architecture] = []

    def refuses(architecture: Architecture) -> str:
        checked.append(architecture)
        return ""

    space = ChainSpace()
    proposals = Proposals(MemoryStudy(space=space, refuses=refuses), 2)
    proposals.offer(space.sample_codes(np.random.default_rng(0), 300))
    assert len(checked) == 2


def test_a_rare_feasible_part_is_reached_from_what_is_known() -> None:
    """Uniform samples are hardly ever feasible here; mutations of a feasible one often are."""
    space = ChainSpace(depth=6, ops=("a", "b", "c", "d", "e"))
    good = space.decode(
        rows(space, {"depth": 6, "width": 8, **{f"op.{i}": "a" for i in range(1, 7)}})[0],
    )

    def refuses(architecture: Architecture) -> str:
        return "" if [node.op for node in architecture.nodes[1:]].count("a") >= 5 else "too few"

    study = MemoryStudy(space=space, refuses=refuses).told(good, 1.0)
    found = Proposals(study, 3).fill(np.random.default_rng(0))
    assert len(found) == 3
    assert not any(refuses(architecture) for architecture in found)


def test_refusals_are_bounded() -> None:
    counted: list[int] = []

    def refuses(architecture: Architecture) -> str:
        counted.append(1)
        return "never"

    space = ChainSpace(depth=6, ops=("a", "b", "c", "d", "e"))
    assert Proposals(MemoryStudy(space=space, refuses=refuses), 1).fill(np.random.default_rng(0)) == []
    assert len(counted) < 7000
