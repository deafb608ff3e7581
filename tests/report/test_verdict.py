from gnas.evaluation import Objective
from gnas.report.compare import comparison_table
from gnas.report.verdict import Verdict, verdict
from gnas.results import FinalRow, RowKind, RunResults

RMSE = Objective("rmse", "minimize")


def judged(
    values: list[tuple[RowKind, str, list[float]]],
    *,
    objective: Objective = RMSE,
    complete: bool = True,
    evaluated: int = 5,
    chosen: str = "finalist 1",
) -> Verdict:
    finals = tuple(
        FinalRow(kind, name, seed, validation={objective.name: value}, test={objective.name: value})
        for kind, name, seeds in values
        for seed, value in enumerate(seeds)
    )
    table = comparison_table(RunResults(objective.name, objective.direction, finals, chosen))
    return verdict(table, objective, complete=complete, evaluated=evaluated)


def test_it_names_the_better_baseline_and_says_beats_only_when_the_interval_excludes_zero() -> None:
    found = judged(
        [
            ("finalist", "finalist 1", [0.50, 0.51, 0.52]),
            ("baseline", "forest", [0.80, 0.81, 0.82]),
            ("baseline", "boosting", [0.70, 0.71, 0.73]),
            ("default_network", "default network", [0.49, 0.58, 0.56]),
            ("random_search", "random search 1", [0.48, 0.49, 0.50]),
        ]
    )
    assert "beats the best baseline, boosting (difference −0.203, 95 % interval" in found.sentence
    assert "forest" not in found.sentence
    assert "ahead of the unsearched default network in the mean but within the spread" in found.sentence
    assert "does not beat random search at equal cost" in found.sentence
    assert found.tone == "mixed"
    assert "3 retraining seeds on one split" in found.caveats[-1]


def test_higher_is_better_turns_the_verdict() -> None:
    auroc = Objective("auroc", "maximize")
    rows: list[tuple[RowKind, str, list[float]]] = [
        ("finalist", "finalist 1", [0.90, 0.91]),
        ("baseline", "forest", [0.80, 0.81]),
    ]
    assert judged(rows, objective=auroc).tone == "good"
    assert judged(rows).tone == "bad"
    assert "does not beat the best baseline, forest" in judged(rows).sentence


def test_a_single_seed_never_beats() -> None:
    found = judged([("finalist", "finalist 1", [0.5]), ("baseline", "forest", [0.9])])
    assert "is ahead of the best baseline, forest on a single seed" in found.sentence
    assert "A single seed was retrained" in found.caveats[-1]


def test_random_search_stands_with_its_best_on_validation() -> None:
    finals = (
        FinalRow("finalist", "finalist 1", 0, validation={"rmse": 0.5}, test={"rmse": 0.5}),
        FinalRow("random_search", "random search 1", 0, validation={"rmse": 0.6}, test={"rmse": 0.7}),
        FinalRow("random_search", "random search 2", 0, validation={"rmse": 0.7}, test={"rmse": 0.4}),
    )
    table = comparison_table(RunResults("rmse", "minimize", finals, "finalist 1"))
    found = verdict(table, RMSE, complete=True, evaluated=3)
    assert [claim.rival.name for claim in found.claims] == ["random search 1"]


def test_the_ensemble_is_told_apart() -> None:
    found = judged([("finalist", "finalist 1", [0.5, 0.6]), ("ensemble", "ensemble", [0.4, 0.5])])
    assert found.caveats[0].startswith("The ensemble of the finalists has rmse 0.450 ± 0.071; it validates better")
    assert "gnas export DIR --ensemble" in found.caveats[0]
    worse = judged([("finalist", "finalist 1", [0.5, 0.6]), ("ensemble", "ensemble", [0.6, 0.7])])
    assert worse.caveats[0] == "The ensemble of the finalists has rmse 0.650 ± 0.071."


def test_missing_comparisons_are_said_to_be_missing() -> None:
    assert "no final comparison yet" in judged([], complete=False).sentence
    assert "not finished" in judged([], complete=False).caveats[0]
    assert "No architecture has been evaluated" in judged([], evaluated=0).sentence
    assert judged([]).tone == "open"
    lonely = judged([("finalist", "finalist 1", [0.5, 0.6])])
    assert "nothing to compare it with" in lonely.sentence
    assert lonely.tone == "open"


def test_finalists_that_all_failed() -> None:
    finals = (FinalRow("finalist", "finalist 1", 0, reason="OutOfMemoryError"),)
    table = comparison_table(RunResults("rmse", "minimize", finals, ""))
    assert "every retraining of the finalists failed" in verdict(table, RMSE, complete=True, evaluated=3).sentence


def test_random_search_that_found_the_same_architecture() -> None:
    finals = tuple(
        FinalRow(kind, kind, 0, digest="d", validation={"rmse": 0.5}, test={"rmse": 0.5})
        for kind in ("finalist", "random_search")
    )
    found = verdict(
        comparison_table(RunResults("rmse", "minimize", finals, "finalist")), RMSE, complete=True, evaluated=3
    )
    assert "is the same architecture as that of random search at equal cost" in found.sentence
    assert found.tone == "bad"
