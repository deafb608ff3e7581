import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from gnas.evaluation import Objective
from gnas.illustration import Figure
from gnas.report import RunRecord, summarise
from gnas.report.page import render
from gnas.results import FinalRow

AUROC = Objective("auroc", "maximize")
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Collects elements and checks that they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


def page_of(record: RunRecord) -> Page:
    return Page(render(summarise(record), now=NOW))


@pytest.fixture(scope="module")
def whole() -> str:
    from .conftest import whole_record

    return render(summarise(whole_record()), now=NOW)


def test_it_loads_nothing_from_elsewhere(whole: str) -> None:
    page = Page(whole)
    for tag, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action", "data"):
            target = attributes.get(name)
            assert target is None or target.startswith("#") or target == "data:,", (tag, target)
    assert "@import" not in whole
    assert not re.search(r"url\(\s*['\"]?(?!#)", whole)


def test_only_its_own_script_may_run(whole: str) -> None:
    page = Page(whole)
    (script,) = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [a["content"] or "" for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert f"script-src 'sha256-{digest}'" in policy
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_strings_of_the_run_are_escaped(whole: str) -> None:
    page = Page(whole)
    assert "<script>alert" not in whole
    assert "Löslichkeit 水 <script>alert(1)</script>" in page.text
    assert "<b>mat1</b>" not in whole
    assert "molécules.csv line 12" in page.text


def test_ids_are_unique(whole: str) -> None:
    ids = [a["id"] for _, a in Page(whole).elements if "id" in a]
    assert len(ids) == len(set(ids))


def test_every_section_is_reached_from_the_navigation(whole: str) -> None:
    page = Page(whole)
    ids = [a["id"] for tag, a in page.elements if tag == "section"]
    links = [(a.get("href") or "")[1:] for tag, a in page.elements if tag == "a" and "class" not in a]
    assert ids == links
    assert len(set(ids)) == len(ids)


def test_it_says_what_the_issue_asks_for(whole: str) -> None:
    text = Page(whole).text
    for words in (
        "it beats the best baseline, histogram gradient boosting",
        "ensemble of finalists (random search)",
        "scaffold-balanced, seed 0",
        "the test part has fewer than 100 molecules",
        "Best so far against evaluations",
        "rmse against latency",
        "functional ANOVA over",
        "differ from the winner",
        "DivergedError: loss became NaN in epoch #",
        "random forest",
        "Energy could not be measured",
        "2.13.0",
        "gnas run spec.yaml",
        "domain: molecular",
        "2026-01-02 03:04 UTC",
    ):
        assert words in text, words
    assert whole.count("<svg") > 10


def test_a_chart_has_a_name_for_those_who_do_not_see_it(whole: str) -> None:
    charts = [a for tag, a in Page(whole).elements if tag == "svg" and a.get("role") == "img"]
    assert len(charts) >= 9
    assert all(a.get("aria-label") for a in charts)


def test_the_same_run_gives_the_same_page(whole: str) -> None:
    from .conftest import whole_record

    assert render(summarise(whole_record()), now=NOW) == whole


def test_higher_is_better(make_record: Callable[..., RunRecord]) -> None:
    page = page_of(make_record(objective=AUROC, n=20))
    assert "Objective: auroc, higher is better" in page.text
    assert "positive is in favour of the finalist" in page.text


def test_a_run_with_nothing_in_it(make_record: Callable[..., RunRecord]) -> None:
    record = make_record(n=12)
    bare = replace(record.results, finals=(), chosen="", stages={}, protocol={}, versions={}, summary={})
    record = replace(record, search=(), random=(), results=bare, complete=False, space=None, spec_text="")
    page = page_of(record)
    assert "No architecture has been evaluated successfully" in page.text
    assert "Nothing was evaluated." in page.text
    assert "No data summary was recorded." in page.text


def test_a_run_whose_trials_all_failed(make_record: Callable[..., RunRecord]) -> None:
    record = make_record(n=12)
    lost = tuple(replace(e, status="failed", values={}, reason="<i>boom</i>", curve=()) for e in record.search)
    record = replace(record, search=lost, random=(), results=replace(record.results, finals=()), complete=False)
    page = page_of(record)
    assert "No architecture has been evaluated successfully" in page.text
    assert "<i>boom</i>" in page.text
    assert "There is no winner to take apart." in page.text


def test_a_single_trial(make_record: Callable[..., RunRecord]) -> None:
    record = make_record(n=12)
    record = replace(record, search=record.search[:1], random=(), results=replace(record.results, finals=()))
    page = page_of(record)
    assert "there is 1" not in page.text
    assert "there are 1." in page.text
    assert "number 1 of the search" in page.text


def test_missing_finals(make_record: Callable[..., RunRecord]) -> None:
    record = make_record(n=20)
    record = replace(record, results=replace(record.results, finals=(), chosen=""), complete=False)
    page = page_of(record)
    assert "There is no final comparison yet" in page.text
    assert "start the same command again" in page.text


def test_finalists_that_failed_with_long_reasons(make_record: Callable[..., RunRecord]) -> None:
    record = make_record(n=20)
    reason = "OutOfMemoryError: <out> " + "x" * 20_000
    finals = (*record.results.finals, FinalRow("finalist", "finalist 9", 0, reason=reason))
    page = page_of(replace(record, results=replace(record.results, finals=finals)))
    assert "Why finalist 9 failed 1 of 1 times" in page.text


def test_a_space_that_cannot_be_read_costs_the_drawings_only(make_record: Callable[..., RunRecord]) -> None:
    page = page_of(replace(make_record(n=20), space=None))
    assert "The space could not be read, so there is no drawing." in page.text
    assert "it beats the best baseline" in page.text


def test_predictions_are_shown_where_the_task_drew_them(make_record: Callable[..., RunRecord], whole: str) -> None:
    drawn = '<svg xmlns="http://www.w3.org/2000/svg"><text>true 水</text></svg>'
    scripted = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(2)</script></svg>'
    record = replace(make_record(n=12), figures=(Figure("Examples", drawn, "Six."), Figure("Bad", scripted)))
    page = page_of(record)
    assert "Predictions of the chosen finalist" in page.text and "true 水" in page.text and "Six." in page.text
    assert "The figure 'Bad' is left out" in page.text
    assert "alert(2)" not in render(summarise(record), now=NOW)
    assert 'id="predictions"' not in whole
