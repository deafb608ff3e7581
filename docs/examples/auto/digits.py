"""A small network for handwritten digits (8 x 8 pixels, from scikit-learn), to be made smaller by `gnas auto`."""

import torch
from sklearn.datasets import load_digits
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x):
        return torch.relu(x + self.body(x))


class Digits(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(3)))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


def data(part):
    """Images and labels: the first 1,000 to train on, the next 400 to choose by; the rest is for you to test on."""
    images, labels = load_digits(return_X_y=True)
    rows = {"train": slice(0, 1000), "validation": slice(1000, 1400)}[part]
    x = torch.tensor(images[rows], dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    return x, torch.tensor(labels[rows])


def train(model, epochs, seed):
    """Trains in place. It keeps nothing between calls, so that a search that was killed can go on."""
    x, y = data("train")
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()


def evaluate(model):
    """One number, on data that is neither trained on nor reported."""
    x, y = data("validation")
    return (model(x).argmax(1) == y).float().mean().item()


def factory():
    """The trained model. Yours would load its weights from a file here."""
    torch.manual_seed(0)
    model = Digits()
    train(model, epochs=5, seed=0)
    return model
