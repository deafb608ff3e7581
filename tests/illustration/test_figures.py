"""Shared figures: what they say is what was predicted, and they may stand in a page."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from gnas.errors import StudyError
from gnas.illustration import (
    FIGURES,
    Figure,
    Line,
    Points,
    Tile,
    agreement_figure,
    calibration_figure,
    confusion_figure,
    figures_json,
    gallery_figure,
    plot,
    read_figures,
)
from gnas.illustration.classes import expected_calibration_error
from gnas.illustration.pictures import png
from gnas.illustration.plot import ticks
from gnas.report.portrait import drawable

RNG = np.random.default_rng(0)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def test_the_confusion_matrix_counts() -> None:
    figure = confusion_figure([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], ["sick <", "well"])
    assert texts(figure.svg)[-4:] == ["1", "1", "1", "2"]
    assert "3 of 5" in figure.caption
    assert "sick < predicted as well: 1 (50% of sick <)" in drawable(figure.svg, "s", "t").replace("&lt;", "<")


def test_a_calibrated_model_has_no_error_and_a_sure_wrong_one_has_one() -> None:
    assert expected_calibration_error(np.array([1.0, 0.0, 1.0, 0.0]), np.full(4, 0.5)) == 0.0
    assert expected_calibration_error(np.zeros(3), np.ones(3)) == 1.0
    figure = calibration_figure([0, 0, 0, 1], [0.25, 0.25, 0.25, 0.25])
    assert "error 0.000" in figure.caption
    assert "4 examples: predicted 0.25, found 0.25" in figure.svg


def test_agreement_draws_an_even_choice_of_many_and_leaves_gaps_out() -> None:
    truth = RNG.normal(size=1000)
    truth[3] = np.nan
    figure = agreement_figure(truth, truth, name="age", unit="years")
    assert figure.svg.count("<circle") == 600
    assert "600 of 999" in figure.caption
    assert "true age (years)" in texts(figure.svg)


def test_png_is_read_back() -> None:
    image = pytest.importorskip("PIL.Image")
    for shape in ((5, 7), (5, 7, 3)):
        pixels = RNG.integers(0, 256, shape).astype(np.uint8)
        with image.open(io.BytesIO(png(pixels))) as read:
            assert (np.asarray(read) == pixels).all()


def test_a_gallery_holds_its_pictures() -> None:
    pixels = RNG.integers(0, 256, (4, 4)).astype(np.uint8)
    figure = gallery_figure([Tile(pixels, ("a & b",), "tip", right=False)] * 7, "Examples")
    pictures = re.findall(r"data:image/png;base64,([^\"]+)", figure.svg)
    assert len(pictures) == 7 and base64.b64decode(pictures[0]) == png(pixels)
    assert texts(figure.svg) == ["a & b"] * 7
    with pytest.raises(ValueError, match="image"):
        drawable(figure.svg, "s", "t")
    assert drawable(figure.svg, "s", "t", pictures=True).count("<image") == 7


def test_pictures_from_elsewhere_are_refused() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><image href="https://example.org/a.png"/></svg>'
    with pytest.raises(ValueError, match="image"):
        drawable(svg, "s", "t", pictures=True)


@pytest.mark.parametrize(("low", "high", "expected"), [(0, 1, 6), (-3, 97, 5), (0.001, 0.0013, 4)])
def test_ticks_are_within_the_bounds(low: float, high: float, expected: int) -> None:
    found = ticks(low, high)
    assert len(found) == expected
    assert all(low - 1e-12 <= value <= high * (1 + 1e-12) for value in found)


def test_a_line_is_interrupted_where_a_value_is_absent() -> None:
    svg = plot([Line([0, 1, 2, 3], [1.0, np.nan, 2.0, 3.0], name="pulse"), Points([1], [2], texts=("<here>",))])
    (path,) = [e.get("d") or "" for e in ElementTree.fromstring(svg).iter() if e.get("class") == "line tone0"][:1]
    assert path.count("M") == 2 and path.count("L") == 1
    assert "pulse" in texts(svg) and "&lt;here&gt;" in svg


def test_nothing_to_draw_is_still_a_plot() -> None:
    assert ElementTree.fromstring(plot([Line([], [])])).tag.endswith("svg")


def test_figures_are_kept(tmp_path: Path) -> None:
    assert read_figures(tmp_path) == ()
    figures = (Figure("t", "<svg/>", "c"), Figure("u", "<svg/>"))
    (tmp_path / FIGURES).write_text(json.dumps(figures_json(figures)), encoding="utf-8")
    assert read_figures(tmp_path) == figures
    (tmp_path / FIGURES).write_text("{", encoding="utf-8")
    with pytest.raises(StudyError, match=r"figures\.json"):
        read_figures(tmp_path)
