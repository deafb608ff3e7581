"""The `data:` section of an imaging spec, checked."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

TaskKind = Literal["binary", "multiclass", "multilabel", "regression", "segmentation"]
SYNTHETIC = "synthetic-lesions"
MEDMNIST = "medmnist:"


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _as_size(value: object) -> object:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Split(_Options):
    """How images are shared out to training, validation and test.

    Attributes:
        kind: `given` (parts that the data name), `group` (patients or sites stay whole), `random` (classes in equal
            shares), or `auto`: given parts if there are any, else groups if there are any, else random.
        fractions: Of training, validation and test; they sum to 1.
        seed: Of the shuffling.
        leaks: What happens when a patient, or the very same image, is in two given parts: `error`; `warn`; `remove`
            (the copy nearer to training goes). By default a patient is an error and an image a warning.
    """

    kind: Literal["auto", "given", "group", "random"] = "auto"
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    seed: int = Field(default=0, ge=0)
    leaks: Literal["auto", "error", "warn", "remove"] = "auto"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(f <= 0 for f in self.fractions) or abs(sum(self.fractions) - 1.0) > 1e-6:
            raise ValueError("split.fractions must be positive and sum to 1")
        return self


class Augment(_Options):
    """Random changes of training images, batch by batch; validation and test images stay as they are.

    Attributes:
        flip: Axes mirrored with probability one half: `none`, `horizontal`, `vertical`, `both`, or `all` (depth too).
        shift: Largest shift, as a fraction of the side; by whole pixels.
        rotate: Largest rotation in the image plane, in degrees.
        scale: Largest change of size, as a fraction.
        warped: Share of the images that are rotated and scaled: both interpolate, which takes off the grain.
        brightness: Largest change of brightness and of contrast, as a fraction of the full range.
    """

    flip: Literal["none", "horizontal", "vertical", "both", "all"] = "none"
    shift: float = Field(default=0.08, ge=0, le=0.5)
    rotate: float = Field(default=10.0, ge=0, le=180)
    scale: float = Field(default=0.1, ge=0, le=0.5)
    warped: float = Field(default=0.5, ge=0, le=1)
    brightness: float = Field(default=0.1, ge=0, le=1)

    @property
    def nothing(self) -> bool:
        """Whether images stay as they are."""
        return self.flip == "none" and not (self.shift or self.rotate or self.scale or self.brightness)


class Synthetic(_Options):
    """What the generator of `dataset: synthetic-lesions` makes.

    Attributes:
        patients: Number of patients, each with `images` images.
        images: Images of a patient.
        size: Side in pixels.
        difficulty: From 0, lesions that stand out, to 1, lesions that are hardly to be seen.
        confounder: From 0, none, to 1: how closely a bright mark in the corner, which sites add, goes with the class in
            training and validation; in the test part it goes with nothing.
        seed: Of all of it.
    """

    patients: int = Field(default=200, ge=12, le=20_000)
    images: int = Field(default=4, ge=1, le=100)
    size: int = Field(default=32, ge=16, le=256)
    difficulty: float = Field(default=0.4, ge=0, le=1)
    confounder: float = Field(default=0.0, ge=0, le=1)
    seed: int = Field(default=0, ge=0)


class ImagingData(_Options):
    """The `data:` section.

    Attributes:
        file: `.npz` in the layout of MedMNIST (`train_images`, `train_labels`, …) or with one array of images, or a CSV
            or TSV of paths; relative paths count from the spec, those in a table from the table.
        folder: One folder for each class, or `train`, `val` and `test` with one folder for each class in them.
        dataset: `synthetic-lesions`, or `medmnist:NAME` where the package medmnist is installed; instead of a file.
        images: Column of paths, or array of images.
        targets: Columns or array of labels; by default `label`, `labels` or `y`.
        mask: Column of paths of masks, or array of masks, for segmentation.
        group: Column or array that names the patient or the site of each image.
        part: Column or array that names the part (`train`, `validation`, `test`) of each image.
        task: `binary`, `multiclass`, `multilabel`, `regression`, `segmentation`, or `auto`.
        size: Side in pixels, `[height, width]` or `[depth, height, width]` to which images are resized; by default all
            must have one size already.
        window: Values shown as black and white in images of more than 8 bits; by default the 0.1 and 99.9 percentiles
            of the training part.
        specificity: At which the sensitivity is told.
        max_unreadable: Largest fraction of images left out because they cannot be read.
        synthetic: See `Synthetic`.
        augment: See `Augment`.
        split: See `Split`.
        unit: Unit of the targets of a regression, shown in the report.
    """

    file: str | None = None
    folder: str | None = None
    dataset: str | None = None
    images: str | None = None
    targets: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    mask: str | None = None
    group: str | None = None
    part: str | None = None
    task: Literal["auto", "binary", "multiclass", "multilabel", "regression", "segmentation"] = "auto"
    size: Annotated[tuple[int, ...] | None, BeforeValidator(_as_size)] = None
    window: tuple[float, float] | None = None
    specificity: float = Field(default=0.9, gt=0, lt=1)
    max_unreadable: float = Field(default=0.0, ge=0, le=1)
    synthetic: Synthetic = Synthetic()
    augment: Augment = Augment()
    split: Split = Split()
    unit: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(source is not None for source in (self.file, self.folder, self.dataset)) != 1:
            raise ValueError("give one of file, folder and dataset")
        if self.size is not None and (len(self.size) not in (2, 3) or any(not 4 <= n <= 1024 for n in self.size)):
            raise ValueError("size takes one side, [height, width] or [depth, height, width], each from 4 to 1024")
        if self.window is not None and not self.window[0] < self.window[1]:
            raise ValueError("window takes a lower and a higher value")
        if len(set(self.targets)) != len(self.targets):
            raise ValueError("targets names a column twice")
        return self
