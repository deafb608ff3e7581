"""The wheel: its top-level names, and the data files inside."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

DOMAINS = ("gnas_imaging", "gnas_molecular", "gnas_tabular", "gnas_timeseries")
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("gnas-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_top_level_names_are_ours(names: list[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    packages = {top for top in tops if not top.endswith(".dist-info")}
    assert packages == {"gnas", *DOMAINS, "gnas_spaces", "gnas_datasets"}


def test_every_data_file_of_the_tree_is_inside(names: list[str]) -> None:
    domains = dict.fromkeys(DOMAINS, ROOT / "domains")
    sources = {"gnas": ROOT, **domains, "gnas_spaces": ROOT / "spaces"}
    wanted = {
        str(path.relative_to(base))
        for package, base in sources.items()
        for path in (base / package).rglob("*")
        if path.suffix in {".yaml", ".html", ".css", ".js", ".j2", ".txt", ".json"}
    }
    assert any(name.startswith("gnas_spaces/") for name in wanted)
    assert any(name.startswith("gnas/report/templates/") for name in wanted)
    assert wanted <= set(names)


def test_entry_points(names: list[str]) -> None:
    assert any(name.endswith(".dist-info/entry_points.txt") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.endswith((".pyc", ".pt", ".journal")) for name in names)
