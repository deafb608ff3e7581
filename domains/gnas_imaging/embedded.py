"""Data by name: synthetic lesions that the generator makes, and MedMNIST's sets where its package is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from gnas.errors import DataError, MissingExtraError
from gnas_imaging.options import MEDMNIST, SYNTHETIC, ImagingData
from gnas_imaging.raw import Raw


def load_dataset(options: ImagingData) -> Raw:
    """The images of a named dataset.

    Raises:
        DataError: It is unknown, or cannot be downloaded.
        MissingExtraError: The package medmnist is absent.
    """
    if options.dataset == SYNTHETIC:
        return _synthetic(options)
    return _medmnist(str(options.dataset).removeprefix(MEDMNIST), options)


def _synthetic(options: ImagingData) -> Raw:
    from gnas_datasets.lesions import CLASSES, synthetic_lesions

    made = synthetic_lesions(**options.synthetic.model_dump())
    n = len(made.images)
    segmentation = options.task == "segmentation"
    labels: dict[str, tuple[Any, ...]] = {"class": tuple(CLASSES[label] for label in made.labels)}
    if options.task == "regression":
        labels = {"area": tuple(made.areas.tolist())}
    return Raw(
        name=SYNTHETIC,
        source=SYNTHETIC,
        pixels=made.images[..., None],
        places=tuple(f"{SYNTHETIC} image {i}" for i in range(n)),
        targets={} if segmentation else labels,
        masks=made.masks,
        groups=tuple(f"patient {p}" for p in made.patients),
        codes=made.parts if options.synthetic.confounder else None,
        class_names=("background", "lesion") if segmentation else (),
        rows=n,
        notes=("synthetic images from a generator, made to try things out: no result on them is a medical one",),
    )


def _medmnist(name: str, options: ImagingData) -> Raw:
    if find_spec("medmnist") is None:
        raise MissingExtraError(
            "package 'medmnist' is not installed",
            place="data.dataset",
            value=f"{MEDMNIST}{name}",
            remedy="run: pip install medmnist; or download the .npz file and give data.file",
        )
    import medmnist

    known = dict(medmnist.INFO)
    if name not in known:
        accepted = ", ".join(f"{MEDMNIST}{key}" for key in known)
        raise DataError("unknown dataset", place="data.dataset", value=f"{MEDMNIST}{name}", accepted=accepted)
    try:
        dataset = getattr(medmnist, known[name]["python_class"])(split="train", download=True)
    except Exception as error:  # its download raises whatever urllib and the checks do
        raise DataError(
            f"the dataset cannot be downloaded ({str(error).splitlines()[0] if str(error) else type(error).__name__})",
            place="data.dataset",
            value=f"{MEDMNIST}{name}",
            remedy="check the network, or download the .npz file elsewhere and give data.file",
        ) from error
    from gnas_imaging.arrays import raw_of_arrays

    with np.load(Path(dataset.root) / f"{name}.npz", allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    words = known[name].get("label", {})
    names = np.array([str(words[str(i)]) for i in range(len(words))]) if words else None
    return raw_of_arrays(arrays if names is None else {**arrays, "classes": names}, f"{name}.npz", options)
