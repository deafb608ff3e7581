"""The test outputs of the retraining that is exported, as the final comparison kept them: nothing is predicted anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gnas.export.best import choose, task_of

if TYPE_CHECKING:
    import torch

    from gnas.domain import Task
    from gnas.problem import Problem


def tested(problem: Problem, out: Path) -> tuple[Task, torch.Tensor] | None:
    """The task as that retraining saw it, and its raw outputs on the test part; None where no weights were kept.

    Raises:
        StudyError: The run has chosen nothing yet.
    """
    import numpy as np
    import torch

    chosen = choose(problem, out)
    if chosen.weights is None:
        return None
    with np.load(chosen.weights.with_suffix(".npz"), allow_pickle=False) as arrays:
        return task_of(problem, chosen), torch.from_numpy(np.asarray(arrays["test"]))
