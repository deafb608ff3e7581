from collections.abc import Callable
from dataclasses import replace

import pytest

from gnas.report import RunRecord, comparison_table
from gnas.report.portrait import drawable, portraits

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">'


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script>",
        '<rect onclick="alert(1)"/>',
        '<a href="https://example.org"><text>x</text></a>',
        '<image href="x.png"/>',
        '<rect fill="url(https://example.org/x)"/>',
        "<foreignObject><p/></foreignObject>",
        "<rect>",
    ],
)
def test_drawings_with_anything_active_are_refused(body: str) -> None:
    with pytest.raises(ValueError, match=r"allowed|well-formed"):
        drawable(f"{HEAD}{body}</svg>", "a", "finalist 1")


def test_something_else_is_no_drawing() -> None:
    with pytest.raises(ValueError, match="not an SVG"):
        drawable("<p>x</p>", "a", "finalist 1")


def test_a_plain_drawing_keeps_its_content() -> None:
    kept = drawable(
        f'{HEAD}<defs><marker id="m"/></defs><path marker-end="url(#m)"/><text>a &lt; ü</text></svg>', "a", "finalist 1"
    )
    assert kept.startswith("<svg")
    assert "url(#a-m)" in kept
    assert 'id="a-m"' in kept
    assert "a &lt; ü" in kept


def test_the_finalists_are_drawn_the_chosen_one_first(make_record: Callable[..., RunRecord]) -> None:
    record = make_record(n=30)
    rows = tuple(comparison_table(replace(record.results, chosen="finalist 2")))
    found = portraits(record, rows)
    assert [p.title for p in found] == ["finalist 2", "finalist 1", "finalist 3"]
    assert all(p.svg.startswith("<svg") for p in found)


def test_without_finalists_the_best_of_the_search_are_drawn(make_record: Callable[..., RunRecord]) -> None:
    record = make_record(n=30)
    found = portraits(record, ())
    values = [p.evaluation.values["rmse"] for p in found]
    assert len(found) == 3
    assert values == sorted(values)


def test_an_assignment_of_another_space_is_told(make_record: Callable[..., RunRecord]) -> None:
    record = make_record(n=30)
    strange = tuple(replace(e, assignment=(("other", 1),)) for e in record.search)
    found = portraits(replace(record, search=strange), ())
    assert "could not be drawn" in found[0].remark
