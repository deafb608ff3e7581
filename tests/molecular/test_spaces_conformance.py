"""The published conformance suite over the shipped molecular spaces."""

from __future__ import annotations

import pytest

from gnas.space import Space, load_space
from gnas.testing.spaces import SpaceTestCase


class TestSmall(SpaceTestCase):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls) -> Space:
        return load_space("molecular/small")


class TestDefault(SpaceTestCase):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls) -> Space:
        return load_space("molecular/default")


class TestCells(SpaceTestCase):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls) -> Space:
        return load_space("molecular/cells")
