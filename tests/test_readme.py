"""What README and documents say is true: commands parse or run, targets and links exist, examples are good specs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from gnas.cli.app import app
from gnas.spec import load_spec
from gnas.testing.command_line import invoke

ROOT = Path(__file__).parents[1]
DOCUMENTS = tuple(
    sorted(
        path
        for pattern in ("*.md", "docs/*.md", "bench/*.md")
        for path in ROOT.glob(pattern)
        if path.name != "CHANGELOG.md"
    )
)


def fenced(path: Path) -> list[str]:
    """Lines of the command blocks of a document, comments cut off."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    shown = "\n".join(body for kind, body in blocks if kind in {"", "sh", "bash", "console"})
    return [line.partition("  #")[0].strip() for line in shown.splitlines()]


def commands(path: Path) -> list[tuple[str, ...]]:
    """Arguments of each `gnas` command that a document shows, in blocks or in the text."""
    inline = re.findall(r"`(gnas [a-z][^`\n]*)`", path.read_text(encoding="utf-8"))
    shown = [*inline, *(re.sub(r"^(\S*/)?gnas ", "gnas ", line) for line in fenced(path))]
    return sorted({tuple(shlex.split(line)[1:]) for line in shown if line.startswith("gnas ")})


COMMANDS = sorted({command for path in DOCUMENTS for command in commands(path)})


def test_the_documents_show_commands() -> None:
    assert {"init", "plan", "run", "space"} <= {command[0] for command in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_is_understood(command: tuple[str, ...]) -> None:
    verb = typer.main.get_command(app)
    context = verb.make_context("gnas", list(command))
    while hasattr(verb, "resolve_command"):
        name, verb, rest = verb.resolve_command(context, [*context._protected_args, *context.args])
        context = verb.make_context(name, rest, parent=context)
    assert context.command_path.split()[1:] == list(command[: len(context.command_path.split()) - 1])


def test_the_quick_commands_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quick = [command for command in commands(ROOT / "README.md") if command[0] in {"init", "space"}]
    assert len(quick) >= 4
    for command in quick:
        outcome = invoke(*command)
        assert outcome.code == 0, (command, outcome.err)
    assert (tmp_path / "mine.yaml").read_text(encoding="utf-8").startswith(("domain:", "#"))
    assert "<svg" in (tmp_path / "architecture.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_targets_exist(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z]+):", makefile, flags=re.M))
    told = set(re.findall(r"(?:^|`)make ([a-z]+)", path.read_text(encoding="utf-8"), flags=re.M))
    assert told <= known


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    absent = [
        target
        for target in targets
        if not target.startswith(("http:", "https:", "mailto:")) and not (path.parent / target).exists()
    ]
    assert not absent


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_good_specs(path: Path) -> None:
    assert load_spec(path).name
