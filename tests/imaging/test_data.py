"""Sources, labels, parts and leaks."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gnas_imaging.data import ImageData, load_images
from gnas_imaging.duplicates import digests, near_pairs, thumbnails
from gnas_imaging.options import ImagingData
from gnas_imaging.partition import stratified_split
from gnas_imaging.testing import arrays, pictures, write_npz
from PIL import Image

from gnas.data.parts import PARTS
from gnas.errors import DataError, MissingExtraError


def load(base: Path, **options: Any) -> ImageData:
    return load_images(ImagingData.model_validate(options), base)


def whole(n: int = 40, classes: int = 2, **others: Any) -> dict[str, Any]:
    labels = np.arange(n) % classes
    return {"images": pictures(labels), "labels": labels, **others}


def table(folder: Path, n: int = 24, **columns: list[Any]) -> Path:
    """Images as files, and a table of them."""
    (folder / "files").mkdir()
    labels = [("sick", "well")[i % 2] for i in range(n)]
    for i, pixels in enumerate(pictures(np.arange(n) % 2)):
        Image.fromarray(pixels).save(folder / "files" / f"{i}.png")
    found = {"path": [f"files/{i}.png" for i in range(n)], "label": labels, **columns}
    lines = [",".join(found), *(",".join(map(str, row)) for row in zip(*found.values(), strict=True))]
    (folder / "table.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "table.csv"


def test_the_layout_of_medmnist(tmp_path: Path) -> None:
    write_npz(tmp_path, arrays())
    data = load(tmp_path, file="images.npz")
    assert dict(data.summary.parts) == {"train": 24, "validation": 10, "test": 10}
    assert data.pixels.shape == (44, 12, 12, 1) and data.labels.kind == "binary"
    assert data.places[24] == "images.npz val_images[0]"
    assert any("no data.group" in warning for warning in data.summary.warnings)


def test_validation_is_taken_from_training_where_there_is_none(tmp_path: Path) -> None:
    content = {key: value for key, value in arrays().items() if not key.startswith("val")}
    write_npz(tmp_path, content)
    data = load(tmp_path, file="images.npz")
    assert data.summary.parts["validation"] > 0 and data.summary.parts["test"] == 10
    assert "no validation part" in " ".join(data.summary.notes)


def test_arrays_by_other_names(tmp_path: Path) -> None:
    content = whole(class_names=np.array(["well", "sick"]))
    write_npz(tmp_path, {"X": content["images"], "grade": content["labels"], "who": np.arange(40) // 4, **content})
    data = load(tmp_path, file="images.npz", images="X", targets="grade", group="who")
    assert data.labels.names == ("well", "sick")
    assert data.summary.facts["patients or sites"] == "10"
    assert not any("no data.group" in warning for warning in data.summary.warnings)


def test_a_table_of_paths(tmp_path: Path) -> None:
    table(tmp_path, patient=[f"p{i // 2}" for i in range(24)], part=(["train"] * 4 + ["val", "test"]) * 4)
    with pytest.raises(DataError, match=r"patients or sites stand in two parts.*patient or site 'p2'"):
        load(tmp_path, file="table.csv")
    warned = load(tmp_path, file="table.csv", split={"leaks": "warn"})
    assert "stand in two parts" in warned.summary.warnings[0]
    removed = load(tmp_path, file="table.csv", split={"leaks": "remove"})
    assert removed.summary.used < 24 and "images left out" in removed.summary.warnings[0]
    groups = load(tmp_path, file="table.csv", split={"kind": "group"})
    inside = [{groups.groups[i] for i in groups.parts.of(part)} for part in PARTS]
    assert not (inside[0] & inside[1] or inside[0] & inside[2] or inside[1] & inside[2])


def test_folders_of_classes(tmp_path: Path) -> None:
    for part, n in (("train", 8), ("val", 3), ("test", 3)):
        for name in ("sick", "well"):
            folder = tmp_path / "by_part" / part / name
            folder.mkdir(parents=True)
            for i, pixels in enumerate(pictures(np.full(n, name == "sick"), seed=len(part) + len(name) * 7)):
                Image.fromarray(pixels).save(folder / f"{i}.png")
    data = load(tmp_path, folder="by_part")
    assert dict(data.summary.parts) == {"train": 16, "validation": 6, "test": 6}
    assert data.labels.names == ("sick", "well")
    alone = load(tmp_path, folder="by_part/train")
    assert "no data.group" in alone.summary.warnings[0] and alone.summary.facts["split"] == "random, seed 0"


def test_unreadable_images_may_be_left_out(tmp_path: Path) -> None:
    table(tmp_path)
    (tmp_path / "files" / "3.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"table\.csv line 5 \(3\.png\): an image cannot be read"):
        load(tmp_path, file="table.csv")
    data = load(tmp_path, file="table.csv", max_unreadable=0.05)
    assert data.summary.used == 23 and data.summary.skipped[0][0] == "table.csv line 5 (3.png)"


def test_more_than_eight_bits_are_windowed_by_the_training_part(tmp_path: Path) -> None:
    content = arrays()
    for part in ("train", "val", "test"):
        content[f"{part}_images"] = content[f"{part}_images"].astype(np.uint16) * 16
    content["test_images"][:] = 65535
    write_npz(tmp_path, content)
    data = load(tmp_path, file="images.npz")
    assert data.window is not None and data.window[1] < 4096
    assert (data.pixels[data.parts.test] == 255).all()
    assert load(tmp_path, file="images.npz", window=[0, 65535]).pixels[0].max() < 20


def test_mixed_sizes_need_one(tmp_path: Path) -> None:
    table(tmp_path)
    Image.fromarray(np.zeros((20, 16), dtype=np.uint8)).save(tmp_path / "files" / "5.png")
    with pytest.raises(
        DataError, match=r"0\.png\) is 12×12, .*5\.png\) is 20×16; give data\.size, for instance size: 12"
    ):
        load(tmp_path, file="table.csv")
    assert load(tmp_path, file="table.csv", size=16).pixels.shape == (24, 16, 16, 1)
    assert load(tmp_path, file="table.csv", size=[8, 10]).pixels.shape == (24, 8, 10, 1)


def test_grey_images_become_rgb_beside_such(tmp_path: Path) -> None:
    table(tmp_path)
    Image.fromarray(np.zeros((12, 12, 3), dtype=np.uint8)).save(tmp_path / "files" / "5.png")
    assert load(tmp_path, file="table.csv").pixels.shape == (24, 12, 12, 3)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (np.arange(40) % 2, "binary"),
        (np.arange(40) % 5, "multiclass"),
        (np.array(["a", "b", "c", "d"] * 10), "multiclass"),
        (np.linspace(0, 1, 40), "regression"),
        (np.arange(80).reshape(40, 2) % 3 == 0, "multilabel"),
        (np.arange(80).reshape(40, 2) * 0.1, "regression"),
        (np.arange(40), "regression"),
    ],
    ids=["binary", "five", "words", "float", "columns", "numbers", "whole"],
)
def test_the_kind_of_task_is_inferred(tmp_path: Path, labels: np.ndarray, kind: str) -> None:
    write_npz(tmp_path, {**whole(), "labels": labels})
    assert load(tmp_path, file="images.npz").labels.kind == kind


def test_identical_images_stay_in_one_part_of_a_random_split(tmp_path: Path) -> None:
    content = whole(60)
    content["images"][1::2] = content["images"][::2]
    content["labels"] = np.arange(60) // 2 % 2
    write_npz(tmp_path, content)
    data = load(tmp_path, file="images.npz")
    part = np.empty(60, dtype=int)
    for code, name in enumerate(PARTS):
        part[data.parts.of(name)] = code
    assert (part[::2] == part[1::2]).all()
    assert "30 images are copies of others" in " ".join(data.summary.notes)


def test_identical_and_alike_images_in_given_parts_are_told(tmp_path: Path) -> None:
    content = arrays(size=24)
    content["val_images"][2] = content["train_images"][4]
    brighter = content["train_images"][7].astype(int) + 9
    content["test_images"][5] = np.clip(brighter, 0, 255)
    write_npz(tmp_path, content)
    data = load(tmp_path, file="images.npz")
    assert "1 images stand in two parts of the split, for instance images.npz train_images[4] in train" in str(
        data.summary.warnings
    )
    alike = (
        "1 images look nearly the same as one of another part: images.npz train_images[7] and images.npz test_images[5]"
    )
    assert alike in data.summary.warnings
    gone = load(tmp_path, file="images.npz", split={"leaks": "remove"})
    assert gone.summary.parts["train"] == 23
    with pytest.raises(DataError, match="images stand in two parts"):
        load(tmp_path, file="images.npz", split={"leaks": "error"})


def test_near_pairs_find_what_was_changed_a_little() -> None:
    rng = np.random.default_rng(0)
    images = (
        np.clip(120 + 50 * rng.normal(size=(30, 8, 8)), 0, 255).astype(np.uint8).repeat(4, 1).repeat(4, 2)[..., None]
    )
    images[20] = np.clip(images[3].astype(int) + rng.integers(-2, 3, images[3].shape) + 5, 0, 255)
    images[21:23] = 60
    found = near_pairs(thumbnails(images), np.arange(20), np.arange(20, 30))
    assert found == [(3, 20)]
    assert digests(images)[21] == digests(images)[22] != digests(images)[20]


def test_stratified_parts_share_classes_out_evenly() -> None:
    strata = np.array([0] * 80 + [1] * 20)
    parts = stratified_split(range(100), strata, (0.7, 0.15, 0.15), np.random.default_rng(0))
    assert [int((strata[parts.of(part)] == 1).sum()) for part in PARTS] == [14, 3, 3]
    assert sorted(np.concatenate([parts.of(part) for part in PARTS])) == list(range(100))


def test_classes_are_shared_out_evenly_over_groups_of_one_class(tmp_path: Path) -> None:
    data = load(tmp_path, dataset="synthetic-lesions", synthetic={"patients": 60, "size": 16, "images": 2})
    for part, n in (("train", 28), ("validation", 6), ("test", 6)):
        assert data.labels.values[data.parts.of(part)].sum(axis=0).tolist() == [n, n, n]  # type: ignore[arg-type]
    inside = [{data.groups[i] for i in data.parts.of(part)} for part in PARTS]
    assert not (inside[0] & inside[1] or inside[0] & inside[2] or inside[1] & inside[2])


def test_synthetic_lesions_are_a_dataset(tmp_path: Path) -> None:
    data = load(tmp_path, dataset="synthetic-lesions", synthetic={"patients": 30, "size": 16, "images": 2})
    assert data.labels.names == ("benign", "healthy", "malignant") and data.summary.facts["split"] == "group, seed 0"
    assert "synthetic" in data.summary.notes[1]
    area = load(tmp_path, dataset="synthetic-lesions", task="regression", synthetic={"patients": 30, "size": 16})
    assert area.labels.kind == "regression"


def test_medmnist_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnas_imaging.embedded.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install medmnist"):
        load(tmp_path, dataset="medmnist:tinymnist")
    monkeypatch.setattr("gnas_imaging.embedded.find_spec", lambda name: object())
    write_npz(tmp_path, arrays(), "tinymnist.npz")
    info = {"tinymnist": {"python_class": "Tiny", "label": {"0": "well", "1": "sick"}}}
    package = SimpleNamespace(INFO=info, Tiny=lambda split, download: SimpleNamespace(root=str(tmp_path)))
    monkeypatch.setitem(sys.modules, "medmnist", package)
    assert load(tmp_path, dataset="medmnist:tinymnist").labels.names == ("well", "sick")
    with pytest.raises(DataError, match="medmnist:tinymnist"):
        load(tmp_path, dataset="medmnist:other")

    def offline(split: str, download: bool) -> None:
        raise RuntimeError("Something went wrong when downloading!")

    package.Tiny = offline
    with pytest.raises(DataError, match=r"cannot be downloaded .*check the network"):
        load(tmp_path, dataset="medmnist:tinymnist")
