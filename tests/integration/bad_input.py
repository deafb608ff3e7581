"""What the tests of bad input share: tiny data, a tiny spec, and what a good message is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gnas.study import read_evaluations
from gnas.testing.command_line import Outcome, invoke

_SMILES = """
CCO CCCO CCCCO CCCCCO CC(C)O CC(C)CO c1ccccc1 Cc1ccccc1 CCc1ccccc1 c1ccccc1O Cc1ccccc1O CCN CCCN CCCCN CC(C)=O
CCC(C)=O CC(=O)O CCC(=O)O c1ccncc1 Cc1ccncc1 C1CCCCC1 CC1CCCCC1 C1CCCC1 CCOCC CCOC CCCl CCCCl CCBr Clc1ccccc1
CCS CC#N CCC#N C=CC C=CCC CCCCCC CCCCCCC CCCCCCCC OCCO NCCO NCCN
"""
MOLECULES = _SMILES.split()
PARTS = ("train", "train", "train", "validation", "test")


def rows() -> list[dict[str, str]]:
    """Forty molecules with a target, a class, and a part of a split."""
    return [
        {
            "smiles": smiles,
            "y": f"{0.3 * len(smiles) - 1:.2f}",
            "alcohol": str(int("O" in smiles)),
            "part": PARTS[index % 5],
        }
        for index, smiles in enumerate(MOLECULES)
    ]


def write_table(path: Path, table: list[dict[str, str]]) -> Path:
    """A CSV file."""
    lines = [",".join(table[0]), *(",".join(row.values()) for row in table)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def spec(**changes: Any) -> dict[str, Any]:
    """A spec that runs in about a second; `changes` replace whole sections."""
    return {
        "domain": "molecular",
        "name": "tiny",
        "data": {"file": "molecules.csv", "targets": ["y"], "split": {"kind": "random"}},
        "space": "molecular/small",
        "search": {"algorithm": "random"},
        "budget": {"trials": 2},
        "recipe": {"epochs": 1},
        "final": {"finalists": 1, "seeds": 1, "baselines": [], "default_network": False, "random_search": False},
        "workers": 1,
        "executor": "inline",
    } | changes


def write_spec(folder: Path, content: Mapping[str, Any] | str) -> Path:
    """`spec.yaml` beside `molecules.csv`."""
    if not (folder / "molecules.csv").exists():
        write_table(folder / "molecules.csv", rows())
    path = folder / "spec.yaml"
    text = content if isinstance(content, str) else yaml.safe_dump(dict(content), sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


def told(outcome: Outcome, code: int, *words: str) -> str:
    """Checks one clear message: the exit code, one line, its place, value and remedy, and no traceback.

    Returns:
        The message.
    """
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert outcome.code == code, (outcome.code, outcome.err)
    assert len(errors) == 1, outcome.err
    assert "Traceback" not in outcome.out + outcome.err
    for word in words:
        assert word in errors[0], (word, errors[0])
    return errors[0]


def refused(folder: Path, content: Mapping[str, Any] | str, code: int, *words: str) -> None:
    """`gnas plan` and `gnas run` refuse a spec with the same message, and no run folder is left behind."""
    path = write_spec(folder, content)
    out = folder / "out"
    assert told(invoke("plan", path), code, *words) == told(invoke("run", path, "--out", out), code, *words)
    assert not out.exists()


def numbers(out: Path) -> list[int]:
    """Numbers of the evaluations on disk."""
    return [evaluation.number for evaluation in read_evaluations(out / "study.journal")]
