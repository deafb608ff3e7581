import json
from pathlib import Path

import numpy as np
import pytest

from gnas.errors import StudyError
from gnas.evaluation import Constraint, Evaluation, Objective, Status
from gnas.report import read_run, report_data, write_report
from gnas.results import FinalRow, RunResults
from gnas.runfolder import append_line, write_json
from gnas.space import load_space
from gnas.study import JOURNAL, Study, open_storage

OBJECTIVE = Objective("auroc", "maximize")
NAME = "nasbench201"
SPACE = load_space(NAME)
SPEC = f"domain: toy\nname: Züge\nspace: {NAME}\n"


def fill(out: Path, n: int, *, storage: str | None = None, prefix: str = "", status: Status = "ok") -> None:
    """A folder with a search of `n` evaluations and as many random ones, as a run that was killed leaves it."""
    out.mkdir(exist_ok=True)
    opened, _ = open_storage(storage or out / JOURNAL)
    facts = {
        "space": f"{SPACE.name} {SPACE.fingerprint}",
        "objective": "auroc maximize",
        "constraints": {"n_params": 5e5},
    }
    rng = np.random.default_rng(0)
    for name in ("search", "random"):
        study = Study(SPACE, OBJECTIVE, (), storage=opened, name=prefix + name, facts=facts)
        for number, code in enumerate(SPACE.sample_codes(rng, n)):
            architecture = SPACE.decode(code)
            values = {"auroc": float(rng.random()), "n_params": 1000.0 * (1 + number)} if status == "ok" else {}
            study.record(
                Evaluation(
                    number,
                    architecture.digest,
                    architecture.assignment,
                    status,
                    values,
                    reason="" if status == "ok" else "DivergedError: NaN",
                    seconds=1.0,
                )
            )


def rows(out: Path) -> tuple[FinalRow, ...]:
    best = read_run(out).search[0]
    return (
        FinalRow("finalist", "finalist 1", 0, best.digest, 0, {"auroc": 0.8}, {"auroc": 0.9}),
        FinalRow("baseline", "forest", 0, validation={"auroc": 0.7}, test={"auroc": 0.7}),
    )


def test_an_interrupted_run_gives_what_there_is(tmp_path: Path) -> None:
    fill(tmp_path, 12)
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    record = read_run(tmp_path)
    assert (record.name, record.objective, record.complete) == ("Züge", OBJECTIVE, False)
    assert record.constraints == (Constraint("n_params", 5e5),)
    assert (len(record.search), len(record.random)) == (12, 12)
    assert record.space is not None
    assert record.space.fingerprint == SPACE.fingerprint
    data = report_data(tmp_path)
    assert "no final comparison yet" in data.verdict.sentence
    assert data.portraits[0].svg
    assert data.ablation is not None
    assert data.ablation.predicted
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "Züge" in page


def test_a_run_killed_within_the_finals(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    for row in rows(tmp_path):
        append_line(tmp_path / "finals.jsonl", row.to_json())
    with (tmp_path / "finals.jsonl").open("a") as file:
        file.write('{"kind": "finalist", "na')
    write_json(tmp_path / "run.json", {"stages": {"search": 3.0}, "cpu_seconds": 5.0, "joules": 3.6e6, "facts": {}})
    data = report_data(tmp_path)
    assert not data.complete
    assert [row.name for row in data.comparison] == ["finalist 1", "forest"]
    assert "is ahead of the best baseline, forest on a single seed" in data.verdict.sentence
    assert data.energy_kwh == pytest.approx(1.0)
    assert data.stages == (("search", 3.0),)
    assert any("1 line(s) of finals.jsonl" in note for note in data.notes)


def test_a_finished_run_says_what_its_results_say(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    results = RunResults("auroc", "maximize", rows(tmp_path), "finalist 1", protocol={"split": "scaffold"})
    write_json(tmp_path / "results.json", results.to_json())
    data = report_data(tmp_path)
    assert data.complete
    assert data.protocol == (("split", "scaffold"),)
    assert data.comparison[0].chosen
    assert data.folder == tmp_path.name


def test_all_candidates_failed(tmp_path: Path) -> None:
    fill(tmp_path, 3, status="failed")
    data = report_data(tmp_path)
    assert data.search_spent.failed == 3
    assert data.failures[0].count == 6
    assert "No architecture has been evaluated" in data.verdict.sentence
    assert write_report(tmp_path).stat().st_size > 10_000


def test_studies_in_a_database_have_the_name_of_the_spec(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    out = tmp_path / "out"
    fill(out, 2, storage=url, prefix="one/")
    (out / "spec.yaml").write_text(f"name: one\nspace: {NAME}\nstorage: {url}\n")
    assert len(read_run(out).search) == 2


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such run folder"):
        read_run(tmp_path / "absent")
    with pytest.raises(StudyError, match="no run folder"):
        read_run(tmp_path)


def test_a_damaged_results_file_is_named(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    (tmp_path / "results.json").write_text(json.dumps({"objective": 3}))
    with pytest.raises(StudyError, match=r"results\.json"):
        read_run(tmp_path)


def test_a_space_that_is_gone_is_a_remark(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    (tmp_path / "spec.yaml").write_text("space: {name: gone/away, restrict: {x: [1]}}\n")
    record = read_run(tmp_path)
    assert record.space is None
    assert "gone/away" in record.remarks[0]


def test_a_space_that_changed_since_is_not_drawn(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    (tmp_path / "spec.yaml").write_text("space: benchmarks/nasbench101\n")
    record = read_run(tmp_path)
    assert record.space is None
    assert "has changed since the run" in record.remarks[0]


def test_a_spec_edited_into_nonsense_hides_no_results(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    (tmp_path / "spec.yaml").write_text("a: [unclosed\n")
    record = read_run(tmp_path)
    assert len(record.search) == 2
    assert record.name == tmp_path.name
