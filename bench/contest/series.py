"""Public sets of series in the form that a spec takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

NORMAL, UNKNOWN = 0, -1
_CLASS_OF_AAMI = np.array([NORMAL, 1, 2, 2, UNKNOWN])
USUAL_A_PATIENT = 300
LEAST = 20
"""Beats of each class in each part."""
SHARES = (0.45, 0.25, 0.3)
"""Of the patients. Fewer in validation say little about others; what is reported is trained on both."""


def beats(source: Path, target: Path, seed: int) -> Path:
    """MIT-BIH DS1, patients apart: `X (beat, 2, 75)`, `y`, `record`, `part`, written to `target`.

    A beat has two channels at 90 Hz, itself and its difference from the median of all its patient's beats. Fusion
    beats count as ventricular and the eight unclassifiable ones are left out: nine in ten fusion beats are one
    patient's. In training and validation a patient has at most 300 normal beats, evenly spaced; in the test part all.
    Patients are drawn again until every part has 20 beats of each class.

    Source: Llamedo and Martínez 2011 (doi:10.1109/TBME.2010.2068048), the labels they call AAMI2.
    """
    with np.load(source) as file:
        x, y, record = file["X"].astype(np.float32), _CLASS_OF_AAMI[file["y"]], file["record"]
    slow = x.reshape(len(x), -1, 2).mean(2)
    usual = np.empty_like(slow)
    for patient in np.unique(record):
        usual[record == patient] = np.median(slow[record == patient], axis=0)
    known = y != UNKNOWN
    part = _patients_apart(record, np.where(known, y, NORMAL), seed)
    kept = [
        row
        for patient in np.unique(record)
        for row in _thinned(np.flatnonzero((record == patient) & known), y, bool((part[record == patient] != 2).all()))
    ]
    rows = np.sort(np.array(kept))
    signals = np.stack([slow, slow - usual], 1)[rows]
    names = np.array(["train", "validation", "test"])[part[rows]]
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(target, X=signals, y=y[rows], record=record[rows], part=names)
    return target.resolve()


def _patients_apart(record: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    rng, patients = np.random.default_rng(seed), np.unique(record)
    bounds = np.cumsum(np.round(np.array(SHARES[:2]) * len(patients)).astype(int))
    while True:
        shuffled = np.split(rng.permutation(patients), bounds)
        part = np.select([np.isin(record, shuffled[0]), np.isin(record, shuffled[1])], [0, 1], 2)
        counts = [np.bincount(y[part == k], minlength=int(y.max()) + 1) for k in range(3)]
        if min(int(count.min()) for count in counts) >= LEAST:
            return part


def _thinned(rows: np.ndarray, y: np.ndarray, thin: bool) -> list[int]:
    usual, other = rows[y[rows] == NORMAL], rows[y[rows] != NORMAL]
    if thin and len(usual) > USUAL_A_PATIENT:
        usual = usual[np.linspace(0, len(usual) - 1, USUAL_A_PATIENT).astype(int)]
    return [*usual.tolist(), *other.tolist()]


SENSORS = tuple(f"s{number}" for number in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21))
HELD_OUT = 25
"""Training units that are the test part while developing."""


def engines(folder: Path, out: Path, *, development: bool = False) -> tuple[Path, Path]:
    """CMAPSS FD001 with the remaining life at each cycle: training units, and the official test units.

    Kept are the 14 sensors that the field uses; the others never change or, like the settings, tell nothing of wear.
    For development the test units are some of the training units, each cut off at a cycle drawn at random, and the
    official ones are not read.

    Source: Li, Ding and Sun 2018 (doi:10.1016/j.ress.2017.11.021), section 3.1, the sensors.
    """
    train, test = (pd.read_csv(folder / f"cmapss_{part}_FD001.csv.gz") for part in ("train", "test"))
    ends = pd.read_csv(folder / "cmapss_RUL_FD001.csv")["rul"].to_numpy()
    train["life"] = train.groupby("unit")["cycle"].transform("max") - train["cycle"]
    last = dict(zip(sorted(test["unit"].unique()), ends.tolist(), strict=True))
    test["life"] = test.groupby("unit")["cycle"].transform("max") - test["cycle"] + test["unit"].map(last)
    if development:
        train, test = _cut_off(train)
    names = ("cmapss-development-train.csv", "cmapss-development-test.csv")
    paths = tuple(out / (name if development else name.replace("-development", "")) for name in names)
    for frame, path in zip((train, test), paths, strict=True):
        frame[["unit", "cycle", *SENSORS, "life"]].to_csv(path, index=False)
    return paths[0].resolve(), paths[1].resolve()


def _cut_off(train: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    held = rng.permutation(train["unit"].unique())[:HELD_OUT]
    ends = {unit: rng.integers(60, (train["unit"] == unit).sum()) for unit in held}
    test = train[train["unit"].isin(held) & (train["cycle"] <= train["unit"].map(ends))]
    return train[~train["unit"].isin(held)], test
