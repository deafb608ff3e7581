"""The `data:` section of a time-series spec, checked."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SplitKind = Literal["auto", "given", "random", "group", "leave_one_out"]
TaskKind = Literal["classification", "regression", "multilabel"]


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(_Options):
    """How recordings are cut; a window never leaves its recording.

    Attributes:
        length: Steps in a window.
        least: Steps of a window that must be there; earlier ones may be missing at the beginning of a recording and are
            then the signal reflected there. By default all of them.
        stride: Steps from one window to the next; by default `length`, so that windows do not overlap.
        label: Whose label a window has where every step has one: the `last` step's, or the `majority`; `auto` is `last`
            for regression and `majority` otherwise.
        test: Which windows of a test recording are predicted: `all`, or its `last` one.
    """

    length: int = Field(ge=2)
    least: int | None = Field(default=None, ge=2)
    stride: int | None = Field(default=None, ge=1)
    label: Literal["auto", "last", "majority"] = "auto"
    test: Literal["all", "last"] = "all"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.least is not None and self.least > self.length:
            raise ValueError("least takes no more steps than length")
        return self


class Split(_Options):
    """How recordings are shared out to training, validation and test. All windows of one stay together.

    Attributes:
        kind: `given` (the data say: `test_file`, `column`, or the order of an archive), `random` (classes in equal
            shares), `group` (whole subjects or devices, see `data.group`), `leave_one_out` (one group is the test
            part, another validates), or `auto`: the first of `given`, `group` and `random` that the data allow.
        fractions: Of training, validation and test; they sum to 1. `given` reads the first two, where the data name no
            validation part.
        seed: Of the shuffling.
        column: For `given`: column, or array of an `.npz`, that names the part of each series.
        test_group: For `leave_one_out`: the group that is left out; by default the last one.
        leaks: What happens when one group, or the same stretch of signal, is in two parts: `error`, or `warn`.
    """

    kind: SplitKind = "auto"
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    seed: int = Field(default=0, ge=0)
    column: str | None = None
    test_group: str | None = None
    leaks: Literal["error", "warn"] = "error"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(f <= 0 for f in self.fractions) or abs(sum(self.fractions) - 1.0) > 1e-6:
            raise ValueError("split.fractions must be positive and sum to 1")
        if self.column is not None and self.kind not in ("auto", "given"):
            raise ValueError(f"split.column has no use for split.kind {self.kind!r}; accepted: given")
        if self.test_group is not None and self.kind != "leave_one_out":
            raise ValueError(f"split.test_group has no use for split.kind {self.kind!r}; accepted: leave_one_out")
        return self


class Augment(_Options):
    """Random changes of training series, after scaling. All zero leaves them as they are.

    Attributes:
        noise: Spread of normal noise added to each step, in spreads of the channel.
        scale: Spread of the factor of each channel of a series, around 1.
        shift: Largest shift, as a share of the length; the first or last step fills what it leaves.
        cut: Longest stretch set to the mean, as a share of the length.
        mix: Series are joined with others of their batch, and their targets with them (mixup); the parameter of the
            beta law of the shares.
    """

    noise: float = Field(default=0.0, ge=0, le=2)
    scale: float = Field(default=0.0, ge=0, le=1)
    shift: float = Field(default=0.0, ge=0, le=0.5)
    cut: float = Field(default=0.0, ge=0, le=0.5)
    mix: float = Field(default=0.0, ge=0, le=2)


class SeriesData(_Options):
    """The `data:` section.

    Attributes:
        file: CSV or TSV (also `.gz`), `.npz` or `.ts`; relative paths count from the spec.
        test_file: A second file of the same kind, whose series are the test part.
        dataset: One that comes along, instead of `file`: `synthetic`, or one inside aeon, such as `BasicMotions`.
        record: Column that names the recording of each row. With it a CSV is long, one row a step; without it wide,
            one row a series.
        time: Column that must rise within a recording of a long CSV.
        channels: Columns of values; by default those that have no other use. In an `.npz` and a `.ts` their names.
        channel_count: Channels of a wide CSV, whose columns stand channel after channel.
        targets: Columns to predict, or arrays of an `.npz` (by default `y`).
        group: Column, or array of an `.npz`, that names the subject or device of each series.
        task: `classification`, `regression`, `multilabel` (0 and 1), or `auto`.
        window: See `Window`; by default each recording is one series.
        unequal: What happens to series of unequal lengths: `error`, `pad` (zeros after scaling, and one more channel
            that tells which steps are there) or `crop` (to the first steps, as many as the shortest has).
        missing: What happens to missing values: `interpolate` (linearly, inside a recording) or `error`.
        max_missing: Largest fraction of a channel of a recording that may be missing.
        cap: Largest value of a target of a regression (remaining life, usually 125); larger ones become it, and so do
            larger predictions.
        normalise: `channel` (mean and spread of the training part), `series` (each series its own), or `none`.
        unit: Unit of the targets of a regression.
        augment: See `Augment`.
        streaming: Whether networks may read no later step; searched is then `timeseries/streaming` where the spec names
            no space, and a space of yours is held to it.
        mcu_safe: Whether networks may use only what int8 kernels of microcontrollers compute; searched is then
            `timeseries/mcu` where the spec names no space.
        split: See `Split`.
    """

    file: str | None = None
    test_file: str | None = None
    dataset: str | None = None
    record: str | None = None
    time: str | None = None
    channels: Names = ()
    channel_count: int = Field(default=1, ge=1)
    targets: Names = ()
    group: str | None = None
    task: Literal["auto", "classification", "regression", "multilabel"] = "auto"
    window: Window | None = None
    unequal: Literal["error", "pad", "crop"] = "error"
    missing: Literal["interpolate", "error"] = "interpolate"
    max_missing: float = Field(default=0.2, ge=0, lt=1)
    cap: float | None = None
    normalise: Literal["channel", "series", "none"] = "channel"
    unit: str | None = None
    augment: Augment = Augment()
    streaming: bool = False
    mcu_safe: bool = False
    split: Split = Split()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.file is None) == (self.dataset is None):
            raise ValueError("give either file or dataset")
        if self.streaming and self.mcu_safe:
            raise ValueError("no space that comes along is both streaming and mcu_safe: choose one")
        if self.test_file is not None and self.file is None:
            raise ValueError("test_file goes with file")
        if self.test_file is not None and self.split.kind not in ("auto", "given"):
            raise ValueError(f"test_file has no use for split.kind {self.split.kind!r}; accepted: given")
        if self.time is not None and self.record is None:
            raise ValueError("time goes with record: a wide file has one row a series")
        if self.record is not None and self.channel_count != 1:
            raise ValueError("channel_count has no use in a long file, whose columns are its channels")
        for name, found in (("targets", self.targets), ("channels", self.channels)):
            if len(set(found)) != len(found):
                raise ValueError(f"{name} names a column twice")
        return self
