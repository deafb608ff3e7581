"""The training recipe: everything about how a candidate is trained, checked on construction."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Recipe(BaseModel):
    """How a network is trained. A spec's `recipe:` section overrides any field of the domain's default.

    Attributes:
        optimizer: `adamw`, `adam` or `sgd` (Nesterov momentum 0.9).
        learning_rate: Peak learning rate.
        weight_decay: Decoupled for `adamw`.
        schedule: `cosine` (to zero), `onecycle`, `constant`, `plateau` (halves when validation stalls).
        warmup: Fraction of steps over which the learning rate rises linearly.
        epochs: Most epochs.
        patience: Epochs without a better validation value before stopping; None trains all epochs.
        smoothing: Epochs over whose validation values the mean is taken, an epoch's own and those just before it, where
            epochs are compared; 1 for none. A small validation part makes a single epoch's value a matter of luck.
        keep: Whose weights and validation values count: `best`, the epoch that did best on validation, or `last`, where
            a schedule that ends at zero has come to rest and a small validation part has no say.
        batch_size: Examples per step; halved when memory runs out.
        loss: `auto` (the task's own), `mse`, `mae`, `huber`, `bce`, `cross_entropy`.
        class_weights: `none` or `balanced`.
        gradient_clip: Largest gradient norm; None for no clipping.
        ema: Decay of an exponential moving average of the weights, used for evaluation; None for none.
        precision: Of training: `fp32`, or `bf16` (mixed: parameters stay in float32) which fails where a layer does not
            know it. `auto` times a few steps of each candidate that has convolutions, unless it trains for hundreds of
            steps only, and takes what is faster by far, `fp32` for all others. Validation and test are always computed
            in float32.
        memory_format: Of the kernels of convolutions over images and volumes; `auto` as for `precision`. What was
            measured is kept in the run folder (`numerics.json`) and is not measured again.
        seed: Seed of initialisation and batch order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0, le=10)
    weight_decay: float = Field(default=1e-4, ge=0)
    schedule: Literal["cosine", "onecycle", "constant", "plateau"] = "cosine"
    warmup: float = Field(default=0.05, ge=0, lt=1)
    epochs: int = Field(default=40, ge=1)
    patience: int | None = Field(default=None, ge=1)
    smoothing: int = Field(default=1, ge=1)
    keep: Literal["best", "last"] = "best"
    batch_size: int = Field(default=64, ge=1)
    loss: Literal["auto", "mse", "mae", "huber", "bce", "cross_entropy"] = "auto"
    class_weights: Literal["none", "balanced"] = "none"
    gradient_clip: float | None = Field(default=5.0, gt=0)
    ema: float | None = Field(default=None, gt=0, lt=1)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    seed: int = 0
