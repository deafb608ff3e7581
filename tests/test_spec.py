"""Spec files: what is accepted, and every complaint of a file with its place."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

import gnas.domain
from gnas.domain import domain_names, load_domain
from gnas.errors import MissingExtraError, SpecError
from gnas.spec import SpaceRef, Spec, load_spec, read_spec
from gnas.specdoc import explanations, reference
from gnas.yamlfile import ManySpecErrors

GOOD = """\
domain: molecular
data:
  dataset: freesolv
search: {algorithm: random}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, GOOD))
    assert (spec.name, spec.seed, spec.workers, spec.budget.trials) == ("run", 0, 2, 50)
    assert spec.data == {"dataset": "freesolv"}


def test_nested_sections_are_checked_and_kept(tmp_path: Path) -> None:
    text = GOOD + (
        "space: {name: mine.yaml, restrict: {hidden: [64]}}\nrecipe: {epochs: 3, learning_rate: 1e-3}\n"
        "final: {baselines: [random forest], seeds: 1}\nconstraints:\nbudget: {minutes: 5}\n"
    )
    read = read_spec(write(tmp_path, text))
    assert read.spec.space == SpaceRef(name="mine.yaml", restrict={"hidden": [64]})
    assert read.spec.recipe == {"epochs": 3, "learning_rate": 0.001}
    assert read.spec.final.baselines == ("random forest",)
    assert read.spec.budget.trials is None
    assert read.file.place(("recipe", "epochs")) == "spec.yaml:6: recipe.epochs"
    assert type(read.data) is load_domain("molecular").data_model


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = (
        "domain: molecular\ndata:\n  file: a.csv\n  target: [x]\nbudget:\n  trails: 10\nrecipe:\n  epochs: many\n"
        "workers: 0\n"
    )
    with pytest.raises(ManySpecErrors) as caught:
        load_spec(write(tmp_path, text))
    lines = str(caught.value).splitlines()
    assert "spec.yaml:6: budget.trails: unknown key; did you mean 'trials'?" in lines
    assert "spec.yaml:8: recipe.epochs: wrong type; got 'many'; accepted: integer >= 1" in lines
    assert "spec.yaml:9: workers: value not accepted; got 0; accepted: integer >= 1" in lines
    assert "spec.yaml:4: data.target: unknown key; did you mean 'targets'?" in lines
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("extra", "place", "words"),
    [
        ("domian: x\n", "spec.yaml:5: domian", "did you mean 'domain'?"),
        ("budget: {trial_minutes: 1}\n", "spec.yaml:5: budget", "never end"),
        ("device: gpu\n", "spec.yaml:5: device", "write cpu, cuda or cuda:0"),
        ("seed: -1\n", "spec.yaml:5: seed", "accepted: integer >= 0"),
        ("seed: true\n", "spec.yaml:5: seed", "wrong type"),
        ("executor: rai\n", "spec.yaml:5: executor", "did you mean 'ray'?"),
        ("constraints: {n_params: -3}\n", "spec.yaml:5: constraints.n_params", "accepted: number > 0 or null"),
        ("space: 3\n", "spec.yaml:5: space", "accepted: text or"),
        ("name:\n", "spec.yaml:5: name", "got 'null'"),
    ],
)
def test_complaints(tmp_path: Path, extra: str, place: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(write(tmp_path, GOOD + extra))
    assert str(caught.value).startswith(f"{place}: ")
    assert words in str(caught.value)


def test_search_options_have_their_place(tmp_path: Path) -> None:
    text = GOOD.replace("{algorithm: random}", "\n  algorithm: evolution\n  options:\n    populaton: 3\n")
    with pytest.raises(SpecError, match=r"spec.yaml:7: search.options.populaton: unknown option"):
        load_spec(write(tmp_path, text))


def test_unknown_domain_has_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"spec.yaml:1: domain: unknown domain.*did you mean 'molecular'\?"):
        load_spec(write(tmp_path, GOOD.replace("molecular", "moleculer")))


def test_a_domain_whose_package_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("molecular", "package_that_is_not_there:DOMAIN", "gnas.domains")
    monkeypatch.setattr(gnas.domain, "entry_points", lambda **_: EntryPoints([point]))
    with pytest.raises(
        MissingExtraError, match=r"package 'package_that_is_not_there' is not installed; run: pip install"
    ):
        load_spec(write(tmp_path, GOOD))


def test_the_templates_of_all_domains_are_good_specs(tmp_path: Path) -> None:
    for name in domain_names():
        assert load_spec(write(tmp_path, load_domain(name).template())).domain == name


def test_the_reference_is_up_to_date() -> None:
    path = Path(__file__).parents[1] / "docs" / "spec.md"
    assert path.read_text(encoding="utf-8") == reference(), "run: python -m gnas.specdoc > docs/spec.md"


def test_every_key_is_explained() -> None:
    for line in reference().splitlines():
        if line.startswith("| `"):
            assert not line.endswith("|  |"), line
    assert set(explanations(Spec)) == set(Spec.model_fields)
