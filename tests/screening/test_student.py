from __future__ import annotations

import numpy as np

from gnas.predictors.kernels import Floats
from gnas.screening.pool import Chunk
from gnas.screening.student import Student
from gnas.space import load_space

SPACE = load_space("darts")


def lesson(n: int, seed: int, extra: bool) -> tuple[Chunk, Floats]:
    """Rows, and a target with main effects and an interaction, and one that is constant."""
    rng = np.random.default_rng(seed)
    codes = SPACE.sample_codes(rng, n)
    column = rng.normal(3.0, 5.0, size=(n, 1))
    main = (codes[:, 0] == 3) + 0.5 * codes[:, 1] + 2.0 * ((codes[:, 3] == 1) & (codes[:, 6] == 2))
    target = 10 + main + (0.2 * column[:, 0] if extra else 0.0)
    return Chunk(codes, column if extra else None), np.column_stack([target, np.full(n, 7.0)])


def test_it_learns_main_effects_interactions_and_extra_columns() -> None:
    rows, targets = lesson(4000, 0, extra=True)
    student = Student.fit(SPACE, rows, targets, seed=0)
    new, truth = lesson(2000, 1, extra=True)
    told = student.predict(new)
    assert np.corrcoef(told[:, 0], truth[:, 0])[0, 1] > 0.97
    assert np.allclose(told[:, 1], 7.0)
    assert student.tau[0] > 0.85
    assert np.mean(np.abs(told[:, 0] - truth[:, 0]) < 1.3 * student.error[0]) > 0.985


def test_same_seed_same_student() -> None:
    rows, targets = lesson(1000, 0, extra=False)
    first, second = (Student.fit(SPACE, rows, targets, seed=1).predict(rows) for _ in range(2))
    assert (first == second).all()
