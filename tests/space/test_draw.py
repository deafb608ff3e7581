from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from gnas.architecture import Architecture, Node
from gnas.space import YamlSpace, load_space
from gnas.space.draw import draw_svg
from gnas.space.layout import lay_out
from tests.space import definitions

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", ["darts", "nasbench201", "nasbench101", "nasbenchgraph"])
def test_drawings_show_every_node_once_inside_the_picture(name: str) -> None:
    architecture = load_space(name).sample(np.random.default_rng(1))
    root = ElementTree.fromstring(draw_svg(architecture))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes = root.findall(f"{SVG}g/{SVG}rect")
    assert len(boxes) == len(architecture.nodes) + 1
    corners = [[float(b.attrib[k]) for k in ("x", "y", "width", "height")] for b in boxes]
    for x, y, w, h in corners:
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
    for k, (x, y, w, h) in enumerate(corners):
        for x2, y2, w2, h2 in corners[:k]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_drawings_name_ops_and_parameters_and_escape_them() -> None:
    node = Node("a<b", (("rate", 0.5), ("wide", True)), (0,), "place")
    svg = draw_svg(Architecture((Node("input", (("name", "x&y"),)), node), (1,)))
    texts = [t.text for t in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert texts == ["x&y", "a<b", "rate 0.5 · wide yes", "output"]


def test_an_empty_architecture_has_a_drawing() -> None:
    assert "empty" in draw_svg(Architecture((), ()))


def test_drawings_are_reproducible() -> None:
    space = YamlSpace("s", definitions.EITHER, "s.yaml")
    first, second = (draw_svg(space.sample(np.random.default_rng(0))) for _ in range(2))
    assert first == second


def test_layout_keeps_order_and_distance() -> None:
    edges = [(0, 2), (1, 2), (1, 3), (2, 4), (0, 4), (3, 4)]
    layout = lay_out([50.0] * 5, edges, gap=20.0)
    assert [layout.layer[k] for k in range(5)] == [0, 0, 1, 1, 2]
    assert abs(layout.x[2] - layout.x[3]) >= 70 - 1e-6
    assert len(layout.routes[0, 4]) == 3
    assert all(25 - 1e-6 <= layout.x[k] <= layout.width - 25 + 1e-6 for k in range(5))
