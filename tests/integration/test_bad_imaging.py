"""The table of bad images, through the command line: one clear message each."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gnas_imaging.testing import arrays, pictures, write_npz
from PIL import Image

from gnas.testing.command_line import invoke
from tests.integration.bad_input import refused, spec, write_spec

pytestmark = pytest.mark.integration

N = 24


def imaging(**data: Any) -> dict[str, Any]:
    return spec(domain="imaging", data=data, space="imaging/small")


def listed(folder: Path, **columns: list[Any]) -> Path:
    """24 images of two classes as files, and `images.csv`, with other columns in place of these or beside them."""
    (folder / "files").mkdir()
    for i, pixels in enumerate(pictures(np.arange(N) % 2)):
        Image.fromarray(pixels).save(folder / "files" / f"{i}.png")
    found = {
        "path": [f"files/{i}.png" for i in range(N)],
        "label": [("sick", "well")[i % 2] for i in range(N)],
        **columns,
    }
    lines = [",".join(found), *(",".join(map(str, row)) for row in zip(*found.values(), strict=True))]
    (folder / "images.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "files"


def planned(folder: Path, content: dict[str, Any], *words: str) -> None:
    """`gnas plan` goes through and says this."""
    outcome = invoke("plan", write_spec(folder, content), "--samples", "1", "--no-baselines")
    assert outcome.code == 0, outcome.err
    for word in words:
        assert word in outcome.out, (word, outcome.out)


# What is refused.


def test_corrupt_image(tmp_path: Path) -> None:
    files = listed(tmp_path)
    whole = (files / "4.png").read_bytes()
    (files / "4.png").write_bytes(whole[:60])
    refused(
        tmp_path, imaging(file="images.csv"), 4, "images.csv line 6 (4.png)", "cannot be read", "data.max_unreadable"
    )


def test_absent_image(tmp_path: Path) -> None:
    (listed(tmp_path) / "7.png").unlink()
    refused(tmp_path, imaging(file="images.csv"), 4, "images.csv line 9 (7.png)", "no such file", "mend or remove it")


def test_mixed_sizes(tmp_path: Path) -> None:
    files = listed(tmp_path)
    Image.fromarray(np.zeros((20, 30), dtype=np.uint8)).save(files / "9.png")
    refused(tmp_path, imaging(file="images.csv"), 4, "images.csv", "12×12", "(9.png) is 20×30", "size: 12")


def test_a_patient_in_two_parts(tmp_path: Path) -> None:
    parts = ["train"] * 14 + ["val"] * 5 + ["test"] * 5
    listed(tmp_path, group=[f"p{i // 4}" for i in range(N)], part=parts)
    words = ("data.split", "'p3'", "(12.png) in train", "(14.png) in validation", "data.split.leaks")
    refused(tmp_path, imaging(file="images.csv"), 4, *words)


def test_a_class_absent_from_training(tmp_path: Path) -> None:
    content = arrays(classes=3)
    content["train_labels"][content["train_labels"] == 2] = 0
    write_npz(tmp_path, content)
    refused(tmp_path, imaging(file="images.npz"), 4, "data.split", "no image of '2'", "every class in training")


def test_one_class_only(tmp_path: Path) -> None:
    listed(tmp_path, label=["sick"] * N)
    refused(tmp_path, imaging(file="images.csv"), 4, "images.csv", "one class only", "'sick'", "two classes")


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "sick").mkdir(parents=True)
    refused(
        tmp_path, imaging(folder="pictures"), 4, "pictures", "no images in folders of classes", ".png", "check the path"
    )


def test_missing_folder(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    refused(tmp_path, imaging(folder="picture"), 4, "data.folder", "no such folder", "did you mean 'pictures'?")


def test_missing_column(tmp_path: Path) -> None:
    listed(tmp_path)
    refused(tmp_path, imaging(file="images.csv", group="pateint"), 4, "data.group", "'pateint'", "path, label")
    refused(
        tmp_path, imaging(file="images.csv", targets="lable"), 4, "data.targets", "'lable'", "did you mean 'label'?"
    )


def test_no_column_of_paths_or_labels(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("where,label\nx.png,1\n", encoding="utf-8")
    refused(tmp_path, imaging(file="a.csv"), 4, "a.csv", "no column is called path", "where, label", "data.images")
    (tmp_path / "b.csv").write_text("path,grade\nx.png,1\n", encoding="utf-8")
    refused(tmp_path, imaging(file="b.csv"), 4, "b.csv", "no column is called label", "path, grade", "data.targets")


def test_empty_table(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text("path,label\n", encoding="utf-8")
    refused(tmp_path, imaging(file="images.csv"), 4, "images.csv", "no rows")


def test_another_layout_of_npz(tmp_path: Path) -> None:
    content = arrays()
    write_npz(tmp_path, {"pictures": content["train_images"], "classes": content["train_labels"]})
    words = ("images.npz", "no array 'images'", "pictures, classes", "train_images, train_labels", "data.images")
    refused(tmp_path, imaging(file="images.npz"), 4, *words)


def test_parts_without_labels(tmp_path: Path) -> None:
    content = arrays()
    del content["val_labels"]
    write_npz(tmp_path, content)
    refused(tmp_path, imaging(file="images.npz"), 4, "images.npz", "no array 'val_labels'", "test_labels")


def test_labels_not_aligned(tmp_path: Path) -> None:
    content = arrays()
    content["train_labels"] = content["train_labels"][:-3]
    write_npz(tmp_path, content)
    words = ("images.npz", "train_labels and train_images are not aligned", "21 and 24 rows", "one row for each image")
    refused(tmp_path, imaging(file="images.npz"), 4, *words)


def test_damaged_npz(tmp_path: Path) -> None:
    path = write_npz(tmp_path, arrays())
    path.write_bytes(path.read_bytes()[:500])
    refused(tmp_path, imaging(file="images.npz"), 4, "images.npz", "damaged", "numpy.savez")


def test_pickled_npz(tmp_path: Path) -> None:
    write_npz(tmp_path, {"images": np.array([{"a": 1}] * 20, dtype=object), "labels": np.arange(20)})
    refused(tmp_path, imaging(file="images.npz"), 4, "images.npz", "allow_pickle=False", "numpy.savez")


def test_images_of_another_shape(tmp_path: Path) -> None:
    content = arrays()
    write_npz(tmp_path, {"images": content["train_images"].reshape(24, -1)[:, :0], "labels": content["train_labels"]})
    refused(tmp_path, imaging(file="images.npz"), 4, "images.npz images", "(24, 0)", "(image, height, width)")


def test_nan_target(tmp_path: Path) -> None:
    content = arrays(classes=8)
    content["val_labels"] = content["val_labels"].astype(float)
    content["val_labels"][3] = np.nan
    write_npz(tmp_path, content)
    data = {"file": "images.npz", "task": "regression"}
    refused(tmp_path, imaging(**data), 4, "val_images[3]", "'label' is not a finite number", "a number", "correct it")


def test_nan_in_images(tmp_path: Path) -> None:
    listed(tmp_path, path=[f"files/{i}.npy" for i in range(N)])
    for i, pixels in enumerate(pictures(np.arange(N) % 2)):
        values = pixels.astype(np.float32)
        values[3, 4] = np.nan if i == 5 else 0
        np.save(tmp_path / "files" / f"{i}.npy", values)
    refused(tmp_path, imaging(file="images.csv"), 4, "images.csv line 7 (5.npy)", "not finite", "data.max_unreadable")


def test_absent_label(tmp_path: Path) -> None:
    listed(tmp_path, label=["sick", ""] + ["well", "sick"] * 11)
    refused(tmp_path, imaging(file="images.csv"), 4, "images.csv line 3 (1.png)", "'label' is absent", "fill it in")


def test_something_that_is_no_part(tmp_path: Path) -> None:
    listed(tmp_path, part=["train", "holdout"] * 12)
    refused(tmp_path, imaging(file="images.csv"), 4, "images.csv line 3", "'holdout'", "train, validation, test")


def test_too_few_images(tmp_path: Path) -> None:
    write_npz(tmp_path, {"images": pictures(np.arange(6) % 2), "labels": np.arange(6) % 2})
    refused(tmp_path, imaging(file="images.npz"), 4, "images.npz", "too few images", "6", "at least 12")


def test_two_sources(tmp_path: Path) -> None:
    refused(tmp_path, imaging(file="a.npz", folder="b"), 2, "spec.yaml", "give one of file, folder and dataset")


def test_unknown_dataset(tmp_path: Path) -> None:
    refused(tmp_path, imaging(dataset="lesions"), 4, "data.dataset", "'lesions'", "synthetic-lesions")


def test_a_size_of_other_dimensions(tmp_path: Path) -> None:
    write_npz(tmp_path, arrays())
    refused(tmp_path, imaging(file="images.npz", size=[4, 8, 8]), 4, "data.size", "[4, 8, 8]", "[height, width]")


def test_volumes_without_their_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "nibabel", None)
    listed(tmp_path, path=[f"files/{i}.nii.gz" for i in range(N)])
    refused(
        tmp_path, imaging(file="images.csv"), 6, "'nibabel' is not installed", "pip install 'gnas[imaging-volumes]'"
    )


def test_wrong_metric(tmp_path: Path) -> None:
    write_npz(tmp_path, arrays())
    content = imaging(file="images.npz") | {"metric": "dice"}
    refused(tmp_path, content, 2, "spec.yaml", "metric", "'dice'", "balanced_accuracy")


# What goes through, and is told.


def test_sixteen_bits_and_transparency(tmp_path: Path) -> None:
    files = listed(tmp_path)
    for i in range(N):
        with Image.open(files / f"{i}.png") as image:
            grey = np.asarray(image)
        if i % 2:
            Image.fromarray(grey.astype(np.uint16) * 200).save(files / f"{i}.png")
        else:
            Image.fromarray(np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=2)).save(files / f"{i}.png")
    planned(tmp_path, imaging(file="images.csv"), "window: ", "is white", "RGB")


def test_duplicated_files(tmp_path: Path) -> None:
    files = listed(tmp_path, part=["train"] * 14 + ["val"] * 5 + ["test"] * 5)
    shutil.copy(files / "2.png", files / "20.png")
    told = "1 images stand in two parts of the split, for instance images.csv line 4 (2.png) in train"
    planned(tmp_path, imaging(file="images.csv"), told, "warning: no data.group: images of one patient")
    data = {"file": "images.csv", "split": {"leaks": "error"}}
    refused(tmp_path, imaging(**data), 4, "data.split", "(2.png) in train", "(20.png) in test", "remove or warn")
