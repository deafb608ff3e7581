"""What import-linter cannot see: words of a domain in the engine, and what packages say they export."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import gnas_datasets
import gnas_imaging
import gnas_molecular
import gnas_spaces
import gnas_tabular
import gnas_timeseries

import gnas
from gnas.domain import domain_names

ENGINE = Path(gnas.__file__).parent
WORDS = ("molecul", "smiles", "rdkit", "imaging")
"""Of domains that exist or are planned. Their names are those of specs, spaces and packages."""


def sources() -> list[Path]:
    return sorted(path for path in ENGINE.rglob("*") if path.suffix in {".py", ".html", ".j2", ".css", ".js"})


def test_the_engine_names_no_domain() -> None:
    words = re.compile("|".join({*WORDS, *domain_names()}), re.IGNORECASE)
    assert len(sources()) > 100
    found = [
        f"{path.relative_to(ENGINE)}:{number}: {line.strip()}"
        for path in sources()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if words.search(line.replace("tabular-nums", ""))
    ]
    assert not found


def modules() -> list[str]:
    domains = (gnas_imaging, gnas_molecular, gnas_tabular, gnas_timeseries)
    packages: tuple[ModuleType, ...] = (gnas, *domains, gnas_spaces, gnas_datasets)
    return sorted(
        module.name
        for package in packages
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not module.name.endswith("__main__")
    )


def test_exports_are_sorted_and_exist() -> None:
    wrong = []
    for name in modules():
        module = importlib.import_module(name)
        exported = list(getattr(module, "__all__", ()))
        # Constants, classes, functions, as ruff sorts them.
        if exported != sorted(exported, key=lambda item: (not item.isupper(), not item[0].isupper(), item)):
            wrong.append(f"{name}.__all__ is not sorted")
        wrong += [f"{name}.{item} does not exist" for item in exported if not hasattr(module, item)]
    assert not wrong
