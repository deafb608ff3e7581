from __future__ import annotations

import pytest

from gnas.space import YamlSpace, load_space
from gnas.testing.spaces import SpaceTestCase
from tests.space.definitions import ALL


class TestSyntheticSpaces(SpaceTestCase):
    @pytest.fixture(scope="class", params=sorted(ALL))
    @classmethod
    def space(cls, request: pytest.FixtureRequest) -> YamlSpace:
        return YamlSpace(request.param, ALL[request.param], f"{request.param}.yaml")


class TestShippedSpaces(SpaceTestCase):
    @pytest.fixture(scope="class", params=["darts", "nasbench201", "nasbenchgraph"])
    @classmethod
    def space(cls, request: pytest.FixtureRequest) -> YamlSpace:
        return load_space(request.param)
