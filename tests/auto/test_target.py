"""The user's own functions: found, called, and their errors told with the line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from gnas.auto.target import load_function, load_subject
from gnas.errors import SpecError

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def made(text: str) -> Path:
        path = tmp_path / "models.py"
        path.write_text(text, encoding="utf-8")
        return path

    return made


HEAD = "import torch\nfrom torch import nn\n"


def test_a_factory_in_a_file(write: Write) -> None:
    path = write(HEAD + "def factory():\n    return nn.Linear(2, 3)\n")
    subject = load_subject(f"{path}:factory")
    assert isinstance(subject.model, nn.Linear)
    assert subject.args is None


def test_a_factory_in_a_package() -> None:
    assert isinstance(load_subject("torch.nn:Identity").model, nn.Identity)


def test_a_factory_beside_a_folder(write: Write) -> None:
    path = write(HEAD + "def factory():\n    return nn.Identity()\n")
    assert isinstance(load_subject("models.py:factory", folder=path.parent).model, nn.Identity)


def test_inputs_come_with_the_model(write: Write) -> None:
    path = write(HEAD + "def factory():\n    return nn.Linear(2, 3), torch.ones(4, 2), {'k': 1}\n")
    subject = load_subject(f"{path}:factory")
    assert subject.args is not None
    assert subject.args[0].shape == (4, 2)
    assert subject.kwargs == {"k": 1}


def test_a_module_bound_to_a_name(write: Write) -> None:
    assert isinstance(load_subject(f"{write(HEAD + 'net = nn.Linear(1, 1)')}:net").model, nn.Linear)


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("models.py", "names no factory"),
        ("models.py:", "names no factory"),
        ("models.py:a b", "names no factory"),
        ("absent.py:factory", "no such file"),
        ("no_such_package_of_ours.sub:factory", "no module named 'no_such_package_of_ours'"),
        ("torch.no_such_part:factory", "no module named 'torch.no_such_part'"),
        ("a-b:factory", "names no module"),
        ("torch.nn:Lineer", "did you mean 'Linear'"),
        ("torch:pi", "pi is no factory"),
    ],
)
def test_what_cannot_be_found(target: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_subject(target)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("body", "line", "problem"),
    [
        ("def factory():\n    raise ValueError('no weights here')\n", 4, "the factory failed (ValueError: no weights"),
        ("def factory():\n    raise SystemExit(3)\n", 4, "the factory failed (SystemExit: 3"),
        ("1 / 0\ndef factory(): ...\n", 3, "importing "),
        ("def factory(:\n", 3, "SyntaxError"),
        ("import no_such_package_of_ours\n", 3, "ModuleNotFoundError"),
    ],
)
def test_code_that_fails_is_told_with_its_line(write: Write, body: str, line: int, problem: str) -> None:
    path = write(HEAD + body)
    with pytest.raises(SpecError) as caught:
        load_subject(f"{path}:factory")
    assert problem in str(caught.value)
    assert f"models.py:{line}" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "told"), [("3", "int"), ("None", "NoneType"), ("(1, 2)", "(int, int)"), ("nn.Linear", "type")]
)
def test_what_is_no_model(write: Write, value: str, told: str) -> None:
    path = write(HEAD + f"def factory():\n    return {value}\n")
    with pytest.raises(SpecError, match="does not return a model") as caught:
        load_subject(f"{path}:factory")
    assert told in str(caught.value)


def test_a_factory_with_arguments(write: Write) -> None:
    path = write(HEAD + "def factory(width):\n    return nn.Linear(width, 1)\n")
    with pytest.raises(SpecError, match=r"cannot be called with no argument.*'width'"):
        load_subject(f"{path}:factory")


def test_what_a_factory_prints_is_no_output(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(HEAD + "def factory():\n    print('hello')\n    return nn.Identity()\n")
    load_subject(f"{path}:factory")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "hello\n"


def test_a_file_is_imported_once(write: Write) -> None:
    path = write(HEAD + "made = []\ndef one():\n    made.append(1)\n    return made\ndef two():\n    return made\n")
    one, two = (load_function(f"{path}:{name}", place="x") for name in ("one", "two"))
    assert one() is two()
    assert torch.is_tensor(one()) is False
