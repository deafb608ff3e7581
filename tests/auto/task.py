"""A small model with a task for tests: written into a folder, as a user would have it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

MODEL = """
import os
import signal
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent


def data(n, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 8, generator=g)
    return x, (x[:, 0] * x[:, 1] > 0).long()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(8, 24)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(24, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 24))
            for _ in range(3)
        )
        self.head = nn.Linear(24, 2)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = torch.relu(x + block(x))
        return self.head(x)


def factory():
    model = Net()
    fit(model, 3)
    return model, data(4, 0)[0]


def fit(model, epochs):
    x, y = data(256, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()


def train(model, epochs, seed):
    with (HERE / "trained.txt").open("a") as file:
        file.write(f"{epochs} {seed}\\n")
    kill = HERE / "kill"
    if kill.exists() and len((HERE / "trained.txt").read_text().splitlines()) == int(kill.read_text()):
        kill.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    fit(model, epochs)


def evaluate(model):
    x, y = data(512, 2)
    return (model(x).argmax(1) == y).float().mean().item()


def evaluate_error(model):
    return 1 - evaluate(model)


def broken(model):
    raise KeyError("labels")


def nothing(model):
    return None
"""

SPEC: Mapping[str, Any] = {
    "target": "model.py:factory",
    "train": "model.py:train",
    "evaluate": "model.py:evaluate",
    "metric": "accuracy",
    "reduce": ["n_params=0.5"],
    "epochs": 4,
}


def write_task(folder: Path, **changes: Any) -> Path:
    """`spec.yaml` beside `model.py`; keys set to None are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.py").write_text(MODEL, encoding="utf-8")
    content = {key: value for key, value in {**SPEC, **changes}.items() if value is not None}
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def trainings(folder: Path) -> list[str]:
    """What the user's `train` wrote down: a line for each call that was carried out."""
    path = folder / "trained.txt"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
