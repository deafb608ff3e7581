"""Every complaint of a checked section has place, value and what is accepted."""

from __future__ import annotations

import pickle
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from gnas.checking import check, describe, describe_type
from gnas.yamlfile import ManySpecErrors, parse_yaml, raise_all


class _Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    trials: int | None = Field(default=None, ge=1)
    rate: float = Field(default=0.5, gt=0, lt=1)


class _Ref(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str


class _Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: str
    kind: Literal["red", "green"] = "red"
    inner: _Inner = _Inner()
    names: Literal["all"] | tuple[str, ...] = "all"
    space: str | _Ref | None = None
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = ()
    flag: bool = False


def _messages(text: str) -> list[str]:
    file = parse_yaml(text, label="s.yaml")
    return [str(error) for error in check(_Outer, file.values, file)[1]]


def test_good_values_pass() -> None:
    text = "title: x\ninner: {trials: 3, rate: 1e-2}\nnames: [a, b]\nspace: {name: n}\nsizes: [1, 2]\n"
    file = parse_yaml(text, label="s")
    record, errors = check(_Outer, file.values, file)
    assert errors == []
    assert record is not None
    assert (record.inner.rate, record.names, record.space) == (0.01, ("a", "b"), _Ref(name="n"))


def test_an_empty_section_is_its_default() -> None:
    file = parse_yaml("title: x\ninner:\nspace:\n", label="s")
    record, _ = check(_Outer, file.values, file)
    assert record is not None
    assert record.inner == _Inner()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: x\ninner:\n  trails: 3\n", "s.yaml:3: inner.trails: unknown key; did you mean 'trials'?"),
        ("title: x\nzzz: 3\n", "s.yaml:2: zzz: unknown key; accepted: title, kind, inner, names, space, sizes, flag"),
        (
            "title: x\ninner:\n  trials: ten\n",
            "s.yaml:3: inner.trials: wrong type; got 'ten'; accepted: integer >= 1 or null",
        ),
        (
            "title: x\ninner:\n  trials: 0\n",
            "s.yaml:3: inner.trials: value not accepted; got 0; accepted: integer >= 1 or null",
        ),
        (
            "title: x\ninner: {rate: 1}\n",
            "s.yaml:2: inner.rate: value not accepted; got 1; accepted: number > 0 and < 1",
        ),
        ("kind: red\n", "s.yaml:1: title: missing key; accepted: text; add it"),
        ("title: 5\n", "s.yaml:1: title: wrong type; got 5; accepted: text; put it in quotes"),
        (
            "title: x\nkind: gren\n",
            "s.yaml:2: kind: unknown value; got 'gren'; accepted: red, green; did you mean 'green'?",
        ),
        ("title: x\nspace: {nam: q}\n", None),
        ("title: x\nsizes: [1, 0]\n", "s.yaml:2: sizes[1]: value not accepted; got 0; accepted: list of integer >= 1"),
        ("title: x\ninner: 3\n", "s.yaml:2: inner: wrong type; got 3; accepted: mapping with the keys trials, rate"),
        ("title: x\nflag: 1\n", "s.yaml:2: flag: wrong type; got 1; accepted: true or false"),
        ("title: x\nnames: 3\n", "s.yaml:2: names: unknown value; got 3; accepted: all or list of text"),
    ],
)
def test_messages(text: str, message: str | None) -> None:
    found = _messages(text)
    if message is None:
        assert found == [
            "s.yaml:2: space.name: missing key; accepted: text; add it",
            "s.yaml:2: space.nam: unknown key; did you mean 'name'?",
        ]
    else:
        assert found == [message]


def test_all_complaints_in_the_order_of_the_file() -> None:
    file = parse_yaml("kind: blue\ninner:\n  trials: ten\n  rat: 1\ntitle: x\n", label="s")
    _, errors = check(_Outer, file.values, file)
    assert [error.place for error in errors] == ["s:1: kind", "s:3: inner.trials", "s:4: inner.rat"]
    with pytest.raises(ManySpecErrors) as caught:
        raise_all(errors)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert str(caught.value).count("\n") == 2


def test_descriptions() -> None:
    fields = _Inner.model_fields
    assert describe(fields["trials"]) == "integer >= 1 or null"
    assert describe_type(dict[str, int]) == "mapping (key: value lines)"
    assert describe_type(list[int]) == "list of integer"
