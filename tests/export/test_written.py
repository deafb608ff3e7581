"""Written models read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from gnas.errors import ExportError
from gnas.export.written import load_written


def test_the_file_finds_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "size.txt").write_text("3", encoding="utf-8")
    source = (
        "from pathlib import Path\nfrom torch import nn\n"
        'def load():\n    return nn.Linear(int(Path(__file__).with_name("size.txt").read_text()), 1)\n'
    )
    path = tmp_path / "model.py"
    path.write_text(source, encoding="utf-8")
    network = load_written(path)
    assert isinstance(network, nn.Linear) and network.in_features == 3


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text("def load():\n    return 3\n", encoding="utf-8")
    with pytest.raises(ExportError, match="does not give a network") as caught:
        load_written(path)
    assert caught.value.place == str(path)
