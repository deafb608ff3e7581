"""What every search space must fulfil, as a test class to subclass.

```python
class TestMySpace(SpaceTestCase):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls) -> Space:
        return load_space("my/space.yaml")
```
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnas.architecture import Architecture, Node
from gnas.errors import SpaceError
from gnas.space.protocol import Choice, Codes, Space
from gnas.space.tree import is_among

SEEDS = st.integers(0, 2**32 - 1)


def _property(test: Callable[..., None]) -> Callable[..., None]:
    """Run a method over a few seeds; fixtures of the class stay the same between examples."""
    checks = [HealthCheck.differing_executors, HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    decorated: Callable[..., None] = settings(max_examples=8, deadline=None, suppress_health_check=checks)(
        given(seed=SEEDS)(test)
    )
    return decorated


def relabelled(architecture: Architecture, rng: np.random.Generator) -> Architecture:
    """The same graph with its nodes in another topological order, unordered inputs shuffled and names gone."""
    nodes = architecture.nodes
    waiting = {i: set(n.inputs) for i, n in enumerate(nodes)}
    order: list[int] = []
    while waiting:
        ready = sorted(i for i, needs in waiting.items() if needs <= set(order))
        order.append(ready[rng.integers(len(ready))])
        del waiting[order[-1]]
    place = {old: new for new, old in enumerate(order)}
    moved = []
    for old in order:
        inputs = [place[i] for i in nodes[old].inputs]
        if not nodes[old].ordered:
            rng.shuffle(inputs)
        moved.append(Node(nodes[old].op, nodes[old].params, tuple(inputs), "", nodes[old].ordered))
    return Architecture(tuple(moved), tuple(place[o] for o in architecture.outputs))


def is_active(choice: Choice, assignment: dict[str, object]) -> bool:
    """Whether the conditions of a choice hold in an assignment."""
    return all(parent in assignment and is_among(assignment[parent], accepted) for parent, accepted in choice.when)


class SpaceTestCase:
    """Conformance of a search space. Subclasses give the fixture `space`, best with class scope.

    Attributes:
        enumerable: Spaces of at most so many assignments are enumerated and compared with `count`.
    """

    enumerable: ClassVar[int] = 20_000

    def test_is_a_space(self, space: Space) -> None:
        """It follows the protocol, and parents stand before children."""
        assert isinstance(space, Space)
        seen: set[str] = set()
        for choice in space.choices:
            assert choice.values and choice.name not in seen
            assert all(parent in seen for parent, _ in choice.when)
            seen.add(choice.name)

    @_property
    def test_decode_encode_round_trip(self, space: Space, seed: int) -> None:
        """Decoding and encoding are inverse, and the assignment holds the active choices only."""
        for code in space.sample_codes(np.random.default_rng(seed), 5):
            architecture = space.decode(code)
            assignment = dict(architecture.assignment)
            assert (space.encode(assignment) == code).all()
            assert space.contains(architecture)
            for choice in space.choices:
                assert is_active(choice, dict(assignment)) == (choice.name in assignment)

    @_property
    def test_json_round_trip(self, space: Space, seed: int) -> None:
        """Architectures survive JSON, and are pruned already."""
        architecture = space.sample(np.random.default_rng(seed))
        assert Architecture.from_json(architecture.to_json()) == architecture
        assert architecture.pruned() == architecture

    @_property
    def test_moves_stay_inside(self, space: Space, seed: int) -> None:
        """What is sampled, mutated or crossed is valid; inputs are left alone."""
        rng = np.random.default_rng(seed)
        a, b = space.sample_codes(rng, 40), space.sample_codes(rng, 40)
        kept = a.copy()
        assert a.shape == (40, len(space.choices)) and a.dtype == np.int16
        assert space.contains_codes(a).all()
        assert space.contains_codes(space.mutate_codes(a, rng)).all()
        child = space.cross_codes(a, b, rng)
        assert space.contains_codes(child).all()
        assert (a == kept).all()
        assert not space.contains_codes(_broken(a)).any()

    @_property
    def test_neighbours_differ_in_one_active_choice(self, space: Space, seed: int) -> None:
        """A neighbour changes one choice; others only become active or inactive by it."""
        code = space.sample_codes(np.random.default_rng(seed), 1)[0]
        near = space.neighbour_codes(code)
        assert space.contains_codes(near).all()
        changed = ((near != code) & (near >= 0) & (code >= 0)).sum(axis=1)
        assert (changed == 1).all()
        assert len(np.unique(near, axis=0)) == len(near)

    @_property
    def test_mutation_changes_one_active_choice(self, space: Space, seed: int) -> None:
        """A mutated row differs in one choice active in both, unless no valid change exists."""
        rng = np.random.default_rng(seed)
        rows = space.sample_codes(rng, 20)
        mutated = space.mutate_codes(rows, rng)
        changed = ((mutated != rows) & (mutated >= 0) & (rows >= 0)).sum(axis=1)
        for row, count in zip(rows, changed, strict=True):
            assert count == 1 or (count == 0 and not len(space.neighbour_codes(row)))

    @_property
    def test_digests(self, space: Space, seed: int) -> None:
        """Digests of a batch are those of its architectures, which no relabelling changes."""
        rng = np.random.default_rng(seed)
        codes = space.sample_codes(rng, 4)
        together = space.digests(codes)
        assert together.dtype == np.dtype("S32")
        assert space.digests(codes[:1])[0] == together[0]
        for code, digest in zip(codes, together, strict=True):
            architecture = space.decode(code)
            assert architecture.digest == digest.decode()
            assert relabelled(architecture, rng).digest == architecture.digest

    @_property
    def test_sampling_is_a_function_of_the_generator(self, space: Space, seed: int) -> None:
        """The same generator gives the same codes."""
        first, second = (space.sample_codes(np.random.default_rng(seed), 8) for _ in range(2))
        assert (first == second).all()

    def test_count_equals_enumeration(self, space: Space) -> None:
        """Each assignment is enumerated once, each is valid, and together they are all that brute force finds."""
        if space.count() > self.enumerable:
            pytest.skip("too large to enumerate in a test")
        rows = np.concatenate(list(space.iterate_codes(chunk=97)))
        assert len(rows) == len(np.unique(rows, axis=0)) == space.count()
        assert space.contains_codes(rows).all()
        sizes = [len(c.values) for c in space.choices]
        if np.prod([s + 1.0 for s in sizes]) <= 10 * self.enumerable:
            everything = np.array(list(itertools.product(*(range(-1, s) for s in sizes))), dtype=np.int16)
            assert space.contains_codes(everything).sum() == space.count()

    def test_sampling_is_uniform(self, space: Space) -> None:
        """Chi-square over all assignments (1 in 10,000 by chance alone; the seed is fixed)."""
        if space.count() > 500:
            pytest.skip("too large for a chi-square test of every assignment")
        count = space.count()
        drawn = space.sample_codes(np.random.default_rng(7), 60 * count)
        _, found = np.unique(drawn, axis=0, return_counts=True)
        assert len(found) == count
        chi_square = float(((found - 60.0) ** 2 / 60.0).sum())
        freedom = max(count - 1, 1)
        # Wilson and Hilferty's cube-root normal approximation of the chi-square quantile at 3.72 standard deviations.
        limit = freedom * (1 - 2 / (9 * freedom) + 3.72 * np.sqrt(2 / (9 * freedom))) ** 3
        assert chi_square < limit

    def test_unknown_names_are_refused(self, space: Space) -> None:
        """An unknown choice, an unknown value, and a missing choice."""
        assignment = dict(space.sample(np.random.default_rng(0)).assignment)
        with pytest.raises(SpaceError):
            space.encode({**assignment, "no such choice": 1})
        name = next(iter(assignment))
        with pytest.raises(SpaceError):
            space.encode({**assignment, name: "no such value"})
        with pytest.raises(SpaceError):
            space.encode({k: v for k, v in assignment.items() if k != name})


def _broken(codes: Codes) -> Codes:
    """The rows, each with a value out of range."""
    broken = codes.copy()
    broken[:, 0] = np.iinfo(np.int16).max
    return broken
