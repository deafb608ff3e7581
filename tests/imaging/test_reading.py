from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from gnas_imaging.reading import (
    AbsentPackageError,
    UnreadableError,
    as_bytes,
    nearest,
    read_image,
    resized,
    shaped,
    with_channels,
)
from PIL import Image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 9)).astype(np.uint8)
RGB = RNG.integers(0, 256, (6, 9, 3)).astype(np.uint8)


def saved(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


def test_grey_and_rgb(tmp_path: Path) -> None:
    assert (read_image(saved(tmp_path / "a.png", Image.fromarray(GREY))) == GREY[..., None]).all()
    assert (read_image(saved(tmp_path / "b.bmp", Image.fromarray(RGB))) == RGB).all()


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    values = RNG.integers(0, 65536, (5, 4)).astype(np.uint16)
    for ending in ("png", "tif"):
        found = read_image(saved(tmp_path / f"a.{ending}", Image.fromarray(values)))
        assert found.dtype == np.uint16 and (found[..., 0] == values).all()


def test_transparency_is_laid_over_black(tmp_path: Path) -> None:
    opaque = np.concatenate([RGB, np.full((6, 9, 1), 255, dtype=np.uint8)], axis=2)
    assert (read_image(saved(tmp_path / "a.png", Image.fromarray(opaque))) == RGB).all()
    half = opaque.copy()
    half[..., 3] = 0
    assert (read_image(saved(tmp_path / "b.png", Image.fromarray(half))) == 0).all()
    assert read_image(saved(tmp_path / "c.png", Image.fromarray(GREY).convert("LA"))).shape == (6, 9, 1)


def test_palettes_and_bits(tmp_path: Path) -> None:
    assert read_image(saved(tmp_path / "a.gif", Image.fromarray(RGB).convert("P"))).shape == (6, 9, 3)
    assert set(np.unique(read_image(saved(tmp_path / "b.png", Image.fromarray(GREY > 99))))) <= {0, 255}


def test_what_is_no_image_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(UnreadableError, match=r"cannot identify image file.*a\.png"):
        read_image(tmp_path / "a.png")
    whole = saved(tmp_path / "b.png", Image.fromarray(RNG.integers(0, 256, (80, 80)).astype(np.uint8))).read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableError, match="truncated"):
        read_image(tmp_path / "b.png")
    with pytest.raises(UnreadableError, match="no such file"):
        read_image(tmp_path / "c.png")
    np.save(tmp_path / "d.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(UnreadableError, match="allow_pickle"):
        read_image(tmp_path / "d.npy")


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1), (5, 6, 3), (4, 5, 6), (4, 5, 6, 3)])
def test_arrays_get_their_channels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape, dtype=np.float32))
    channels = 3 if shape[-1] == 3 else 1
    assert read_image(tmp_path / "a.npy").shape == (*shape[: len(shape) - (shape[-1] in (1, 3))], channels)


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((2, 2, 2, 2, 2)), np.full((4, 4), np.nan), np.array([["a"]])])
def test_other_arrays_are_none(values: np.ndarray) -> None:
    with pytest.raises(UnreadableError):
        shaped(values)


def test_resizing_keeps_even_images_and_means() -> None:
    even = np.full((10, 8, 1), 77, dtype=np.uint8)
    assert (resized(even, (5, 16)) == 77).all()
    values = RNG.normal(size=(4, 32, 32, 1))
    small = resized(values, (2, 8, 8))
    assert small.shape == (2, 8, 8, 1) and abs(small.mean() - values.mean()) < 0.02
    assert resized(GREY[..., None], (6, 9)) is not None and (resized(GREY[..., None], (6, 9))[..., 0] == GREY).all()


def test_resizing_is_that_of_pillow() -> None:
    for size in ((3, 5), (11, 20)):
        expected = np.asarray(Image.fromarray(GREY.astype(np.float32)).resize(size[::-1], Image.Resampling.BILINEAR))
        assert np.abs(resized(GREY[..., None].astype(np.float32), size)[..., 0] - expected).max() < 0.01


def test_masks_keep_their_values() -> None:
    mask = np.array([[0, 2], [5, 0]])
    assert (nearest(mask, (4, 4)) == np.kron(mask, np.ones((2, 2)))).all()


def test_windows_and_channels() -> None:
    assert as_bytes(np.array([-5.0, 0.0, 50.0, 100.0, 900.0]), (0, 100)).tolist() == [0, 0, 128, 255, 255]
    assert with_channels(GREY[..., None], 3).shape == (6, 9, 3)
    assert (with_channels(np.repeat(GREY[..., None], 3, axis=2), 1)[..., 0] == GREY).all()


def test_volumes_are_read_by_their_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nibabel", None)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    for name in ("a.nii.gz", "a.dcm"):
        with pytest.raises(AbsentPackageError, match=r"nibabel|pydicom"):
            read_image(tmp_path / name)
    volume = RNG.normal(size=(4, 5, 6))
    monkeypatch.setitem(sys.modules, "nibabel", SimpleNamespace(load=lambda path: SimpleNamespace(dataobj=volume)))
    assert np.allclose(read_image(tmp_path / "a.nii")[..., 0], volume.T)
    record = SimpleNamespace(
        pixel_array=np.array([[0, 1], [2, 3]]),
        RescaleSlope=2,
        RescaleIntercept=-1,
        PhotometricInterpretation="MONOCHROME1",
    )
    monkeypatch.setitem(sys.modules, "pydicom", SimpleNamespace(dcmread=lambda path: record))
    assert read_image(tmp_path / "a.dcm")[..., 0].tolist() == [[5, 3], [1, -1]]
