"""YAML with places: what is read, and where each complaint points."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnas.errors import SpecError
from gnas.yamlfile import ManySpecErrors, dotted, parse_yaml, read_yaml


def test_values_and_lines() -> None:
    file = parse_yaml("a: 1\nb:\n  c: [x,\n    y]\n  rate: 1e-3\n", label="f.yaml")
    assert file.values == {"a": 1, "b": {"c": ["x", "y"], "rate": 0.001}}
    assert file.lines[("b", "c", 1)] == 4
    assert file.place(("b", "rate")) == "f.yaml:5: b.rate"
    assert file.place(("b", "absent")) == "f.yaml:2: b.absent"
    assert dotted(("a", 0, "b")) == "a[0].b"


def test_keys_stay_as_written() -> None:
    assert parse_yaml("on: 1\n2: x\n", label="f").values == {"on": 1, "2": "x"}


def test_merge_keys_and_anchors_are_read() -> None:
    file = parse_yaml("base: &b {x: 1, y: 2}\nmore:\n  <<: *b\n  y: 3\n", label="f")
    assert file.values["more"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("a: [1, 2\nb: 3\n", 2, "not valid YAML"),
        ("a: 1\nb: 1\na: 2\n", 3, "key given twice (first on line 1)"),
        ("- a\n- b\n", 1, "no mapping"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "remove the tag"),
        ("a: &x\n  b: *x\n", 1, "contains itself"),
        ("? [1, 2]\n: 3\n", 1, "a key is no text"),
    ],
)
def test_refused_with_line(text: str, line: int, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_yaml(text, label="f.yaml")
    assert str(caught.value).startswith(f"f.yaml:{line}")
    assert words in str(caught.value)


def test_all_duplicates_are_told() -> None:
    with pytest.raises(ManySpecErrors) as caught:
        parse_yaml("a: 1\na: 2\nb:\n  c: 1\n  c: 2\n", label="f")
    assert [error.place for error in caught.value.errors] == ["f:2: a", "f:5: b.c"]


def test_alias_bomb_is_refused() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(SpecError, match="more than"):
        parse_yaml("\n".join(rows), label="f")


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"\xff\xfe\x00", b"a: \x07\n"])
def test_unusable_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=r"s\.yaml"):
        read_yaml(path)


def test_absent_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such spec file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(SpecError, match="cannot be read"):
        read_yaml(tmp_path)


def test_relocate_gives_the_line() -> None:
    file = parse_yaml("data:\n  target: [a]\n", label="f")
    moved = file.relocate(SpecError("no such column", place="data.target", value="a", remedy="look"))
    assert moved.place == "f:2: data.target"
    assert file.relocate(SpecError("x", place="elsewhere.csv:3")).place == "elsewhere.csv:3"
