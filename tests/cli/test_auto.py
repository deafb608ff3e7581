"""`gnas auto` without a task: coverage in the terminal, as JSON and as a page; and what cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gnas.testing.command_line import Outcome, invoke

MODELS = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, x):
        return x + self.inner(x)

class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x):
        if x.sum() > 0:
            return self.a(x)
        return self.b(x)

class Tower(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.stem = nn.Linear(16, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.head = nn.Linear(width, 4)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)

def tower():
    return Tower(8, 2)

def giant():
    with torch.device("meta"):
        return Tower(4096, 8)

def chain():
    return nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))

def single():
    return nn.Sequential(nn.ReLU())

def branching():
    return Branching()

def failing():
    raise RuntimeError("the checkpoint is not here")

def number():
    return 7
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("auto") / "models.py"
    path.write_text(MODELS, encoding="utf-8")
    return path


def auto(target: str, *more: str | Path) -> Outcome:
    return invoke("auto", target, "--no-latency", *more)


def line_with(text: str) -> int:
    """Number of the line of the models' file that holds a text."""
    return next(i for i, line in enumerate(MODELS.splitlines(), 1) if text in line)


def one_line(outcome: Outcome, code: int) -> str:
    """The message of a command that refused: one line, no traceback, nothing on stdout."""
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert len(outcome.err.splitlines()) == 1
    return outcome.err


def test_the_report_as_text(models: Path) -> None:
    outcome = auto(f"{models}:tower", "--example", "3x16")
    assert outcome.code == 0, outcome.err
    assert "Tower is a space of " in outcome.out
    assert "blocks.0.inner.2 into add of blocks.0" in outcome.out
    assert f"models.py:{line_with('return x + self.inner(x)')}" in outcome.out
    assert "head: " in outcome.out


def test_the_report_as_json(models: Path) -> None:
    outcome = auto(f"{models}:tower", "--example", "3x16", "--json")
    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    assert report["n_params"] == 16 * 8 + 8 + 2 * (8 * 16 + 16 + 16 * 8 + 8) + 8 * 4 + 4
    assert report["count"] == int(report["count_text"]) > 4
    assert [unit["module"] for unit in report["units"]] == ["blocks.0.inner.2", "blocks.1.inner.2"]
    assert report["latency"] is None


def test_the_folder(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = auto(f"{models}:tower", "--example", "3x16", "--out", out)
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in out.iterdir()) == ["coverage.json", "report.html", "segments.svg"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "blocks.0.inner.2 into add of blocks.0" in page
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert json.loads((out / "coverage.json").read_text(encoding="utf-8"))["name"] == "Tower"


def test_latency_of_the_smallest(models: Path) -> None:
    outcome = invoke("auto", f"{models}:tower", "--example", "3x16", "--json")
    timed = json.loads(outcome.out)["latency"]
    assert timed["whole_ms"] > 0
    assert 0 < timed["low"] <= timed["share"] <= timed["high"]


def test_names_of_modules_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_text(
        "from torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.add_module('<script>alert(1)</script>', nn.Linear(4, 6))\n        self.b = nn.Linear(6, 2)\n"
        "    def forward(self, x):\n        return self.b(getattr(self, '<script>alert(1)</script>')(x))\n",
        encoding="utf-8",
    )
    outcome = auto(f"{path}:Net", "--example", "2x4", "--out", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert "<script>alert" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_plain_chain_has_widths_and_bypasses_only(models: Path) -> None:
    report = json.loads(auto(f"{models}:chain", "--example", "3x16", "--json").out)
    assert report["units"] == []
    assert report["joins"] == 0
    assert len(report["widths"]) >= 1
    assert len(report["bypasses"]) == 1
    assert any("plain chain" in text for text in report["caveats"])


def test_a_model_without_any_choice(models: Path) -> None:
    outcome = auto(f"{models}:single", "--example", "3x16")
    assert outcome.code == 0, outcome.err
    assert "no sub-network but itself" in outcome.out


def test_half_a_billion_parameters_on_meta_take_no_memory(models: Path) -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = auto(f"{models}:giant", "--example", "3x16", "--json")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    assert report["n_params"] > 5e8
    assert len(report["units"]) == 8
    # NOTE: in KiB; the weights alone would be 2 GiB.
    assert after - before < 300_000


def test_a_factory_that_fails(models: Path) -> None:
    error = one_line(auto(f"{models}:failing", "--example", "3x16"), 2)
    assert "the factory failed (RuntimeError: the checkpoint is not here)" in error
    assert f"models.py:{line_with('checkpoint')}" in error


def test_wrong_shapes(models: Path) -> None:
    error = one_line(auto(f"{models}:tower", "--example", "3x15"), 3)
    assert "does not run on the example inputs" in error
    assert "float32[3, 15]" in error
    assert "models.py:" in error


def test_wrong_names(models: Path) -> None:
    error = one_line(auto(f"{models}:tower", "--example", "y=3x16"), 3)
    assert "does not run on the example inputs" in error
    assert "'y'" in error


def test_branches_on_data_name_the_line(models: Path) -> None:
    error = one_line(auto(f"{models}:branching", "--example", "3x6"), 3)
    assert "cannot be traced (it branches on values of its tensors)" in error
    assert f"models.py:{line_with('x.sum() > 0')} in forward: if x.sum() > 0" in error
    assert "torch.where" in error


@pytest.mark.parametrize(
    ("target", "example", "told"),
    [
        ("absent.py:factory", "3x16", "no such file"),
        ("no_such_package_of_ours:factory", "3x16", "no module named"),
        ("{models}:towers", "3x16", "did you mean 'tower'"),
        ("{models}:number", "3x16", "does not return a model; got 'int'"),
        ("{models}:tower", "3 by 16", "an example that cannot be read"),
        ("{models}:tower", "__import__('os').getcwd()", "an example that cannot be read"),
        ("{models}:tower", None, "no example inputs"),
    ],
)
def test_what_cannot_be_used(models: Path, target: str, example: str | None, told: str) -> None:
    more = () if example is None else ("--example", example)
    assert told in one_line(auto(target.format(models=models), *more), 2)


def test_without_a_target() -> None:
    assert "no TARGET" in one_line(invoke("auto"), 2)


def test_a_folder_that_cannot_be_written(models: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    outcome = auto(f"{models}:tower", "--example", "3x16", "--out", tmp_path / "file" / "out")
    assert one_line(outcome, 5)
