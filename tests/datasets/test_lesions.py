from __future__ import annotations

import numpy as np
from gnas_datasets.lesions import CLASSES, synthetic_lesions


def test_a_seed_makes_the_same_images() -> None:
    first, again, other = (synthetic_lesions(patients=12, images=2, size=16, seed=seed) for seed in (3, 3, 4))
    assert (first.images == again.images).all() and not (first.images == other.images).all()
    assert first.images.shape == (24, 16, 16) and set(first.labels) == {0, 1, 2}


def test_lesions_are_where_masks_say_and_patients_stay_whole() -> None:
    made = synthetic_lesions(patients=30, images=3, size=24, difficulty=0.0)
    healthy = made.labels == CLASSES.index("healthy")
    assert not made.masks[healthy].any() and made.masks[~healthy].any(axis=(1, 2)).all()
    inside = made.images[made.masks == 1].mean()
    assert inside > made.images[made.masks == 0].mean() + 40
    for patient in range(30):
        own = made.patients == patient
        assert len(set(made.labels[own])) == 1 and len(set(made.parts[own])) == 1
    assert np.allclose(made.areas, 100 * made.masks.mean(axis=(1, 2)))


def test_difficulty_makes_lesions_faint() -> None:
    def contrast(difficulty: float) -> float:
        made = synthetic_lesions(patients=30, images=2, size=24, difficulty=difficulty)
        return float(made.images[made.masks == 1].mean() - made.images[made.masks == 0].mean())

    assert contrast(0.0) > contrast(0.5) > contrast(1.0) > 5


def test_a_confounder_goes_with_the_class_but_not_in_the_test_part() -> None:
    made = synthetic_lesions(patients=300, images=1, size=16, confounder=0.9)
    bad = made.labels == CLASSES.index("malignant")
    learnt, test = made.parts < 2, made.parts == 2
    assert made.marked[learnt & bad].mean() > 0.85 and made.marked[learnt & ~bad].mean() < 0.15
    assert abs(made.marked[test & bad].mean() - made.marked[test & ~bad].mean()) < 0.35
    assert not synthetic_lesions(patients=12, size=16).marked.any()
