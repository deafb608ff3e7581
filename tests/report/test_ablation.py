import numpy as np
import pytest

from gnas.architecture import Value
from gnas.evaluation import Evaluation, Objective
from gnas.predictors.gp import GpPredictor
from gnas.report.ablation import measured_changes, predicted_changes, single_change
from gnas.testing.chain import ChainSpace, chain_value

SPACE = ChainSpace(depth=2)
SCORE = Objective("score", "maximize")


def evaluated(number: int, **choices: Value) -> Evaluation:
    names = {"depth": "depth", "width": "width", "one": "op.1", "two": "op.2"}
    architecture = SPACE.decode(SPACE.encode({names[k]: v for k, v in choices.items()}))
    values = {"score": chain_value(architecture)}
    return Evaluation(number, architecture.digest, architecture.assignment, "ok", values)


WINNER = evaluated(0, depth=2, width=32, one="conv3", two="conv1")


def test_only_one_choice_changes_count_and_children_follow_their_parent() -> None:
    wide = evaluated(1, depth=2, width=64, one="conv3", two="conv1")
    shallow = evaluated(2, depth=1, width=32, one="conv3")
    far = evaluated(3, depth=2, width=64, one="pool", two="conv1")
    found = measured_changes(WINNER, {"search": [WINNER, wide, far], "random search": [shallow, wide]}, SCORE)
    assert [(c.choice, c.before, c.after, c.trial, c.source) for c in found] == [
        ("depth", "2", "1", 2, "random search"),
        ("width", "32", "64", 1, "search"),
    ]
    assert found[1].difference == pytest.approx(wide.values["score"] - WINNER.values["score"])
    assert all(c.worse and c.sd is None for c in found)


def test_a_better_neighbour_is_not_called_worse() -> None:
    poor = evaluated(1, depth=2, width=8, one="conv3", two="conv1")
    (found,) = measured_changes(poor, {"search": [WINNER]}, SCORE)
    assert not found.worse
    assert found.difference > 0


def test_single_change_needs_exactly_one() -> None:
    ours = dict(WINNER.assignment)
    assert single_change(ours, WINNER.assignment) is None
    assert single_change(ours, (("depth", 1), ("width", 8))) is None
    assert single_change(ours, (("depth", 1), ("width", 32))) == "depth"


def test_predictions_cover_the_neighbours_that_were_not_evaluated() -> None:
    rng = np.random.default_rng(0)
    found = {}
    for number, code in enumerate(SPACE.sample_codes(rng, 40)):
        architecture = SPACE.decode(code)
        found[architecture.digest] = Evaluation(
            number, architecture.digest, architecture.assignment, "ok", {"score": chain_value(architecture)}
        )
    found[WINNER.digest] = WINNER
    members = list(found.values())
    changes, n, message = predicted_changes(WINNER, members, SPACE, SCORE, GpPredictor())
    assert message == ""
    assert n == len(members)
    neighbours = {SPACE.decode(c).digest for c in SPACE.neighbour_codes(SPACE.encode(dict(WINNER.assignment)))}
    assert 0 < len(changes) <= len(neighbours - found.keys())
    assert all(c.source == "predicted" and c.sd is not None and c.sd > 0 and c.trial == -1 for c in changes)


def test_too_few_evaluations_are_a_message() -> None:
    changes, n, message = predicted_changes(WINNER, [WINNER], SPACE, SCORE, GpPredictor())
    assert (changes, n) == ((), 1)
    assert "there are 1" in message
