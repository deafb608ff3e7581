from __future__ import annotations

import pytest
import torch
from gnas_imaging.augment import augmented
from gnas_imaging.options import Augment

NOTHING = {"flip": "none", "shift": 0, "rotate": 0, "scale": 0, "brightness": 0}


def changed(images: torch.Tensor, seed: int = 0, **options: object) -> torch.Tensor:
    chosen = Augment.model_validate({**NOTHING, **options})
    return augmented(images, chosen, torch.Generator().manual_seed(seed))[0]


@pytest.mark.parametrize("shape", [(6, 1, 10, 8), (6, 2, 4, 10, 8)], ids=["image", "volume"])
def test_nothing_asked_nothing_done(shape: tuple[int, ...]) -> None:
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    assert changed(images) is images
    full = Augment(flip="all", rotate=20)
    moved, masks = augmented(images, full, torch.Generator().manual_seed(1), (images > 0.5).float())
    assert moved.shape == images.shape and float(moved.min()) >= 0 and float(moved.max()) <= 1
    assert masks is not None and set(masks.flatten().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(("flip", "axes"), [("horizontal", [-1]), ("vertical", [-2]), ("all", [-1, -2, -3])])
def test_flips_mirror_the_axes_they_name(flip: str, axes: list[int]) -> None:
    images = torch.rand(40, 1, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    found = changed(images, flip=flip)
    kinds = set()
    for image, result in zip(images, found, strict=True):
        options = [subset for n in range(8) for subset in [[a for i, a in enumerate((-1, -2, -3)) if n >> i & 1]]]
        (kind,) = [tuple(s) for s in options if torch.allclose(image.flip(s) if s else image, result, atol=1e-5)]
        kinds.add(kind)
    assert {axis for kind in kinds for axis in kind} == set(axes)
    assert () in kinds


def test_half_a_turn_is_a_half_turn() -> None:
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 8] = 1.0
    for seed in range(20):
        found = changed(image, seed, rotate=180, warped=1)
        place = (found[0, 0] * 1.0).nonzero()
        radius = (place.float() - 4).norm(dim=1)
        assert len(place) and bool(((radius > 2.4) & (radius < 5.8)).all())


def test_shifts_are_by_whole_pixels_and_take_no_value_that_was_not_there() -> None:
    images = torch.rand(30, 1, 9, 12, generator=torch.Generator().manual_seed(0))
    found = changed(images, shift=0.3)
    places = set()
    for image, result in zip(images, found, strict=True):
        inner = result[0, 4:5, 5:6]
        ((down, right),) = ((image[0] - inner).abs() < 1e-4).nonzero().tolist()
        places.add((down - 4, right - 5))
    assert {abs(down) for down, _ in places} == {0, 1, 2, 3}
    assert {abs(right) for _, right in places} <= {0, 1, 2, 3, 4}
    assert len(places) > 10


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 60, 140), (1.0, 200, 200)])
def test_a_share_of_the_images_is_turned_and_scaled(share: float, least: int, most: int) -> None:
    images = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = changed(images, rotate=30, scale=0.3, warped=share)
    moved = (found - images).flatten(1).abs().amax(1) > 1e-3
    assert least <= int(moved.sum()) <= most


def test_brightness_is_bounded() -> None:
    grey = torch.full((200, 1, 2, 2), 0.5)
    found = changed(grey, brightness=0.4)[:, 0, 0, 0]
    assert 0.29 < float(found.min()) < 0.33 and 0.67 < float(found.max()) < 0.71
