"""Versions told with a result are those of libraries, tools for development left out."""

from __future__ import annotations

from importlib.metadata import version

from gnas.facts import library_versions


def test_versions_of_the_libraries() -> None:
    found = library_versions()
    for name in ("numpy", "optuna", "scikit-learn", "torch-geometric"):
        assert found[name] == version(name)
    assert {"python", "torch", "gnas"} <= set(found)
    assert not {"pytest", "ruff", "mypy", "hypothesis"} & set(found)
