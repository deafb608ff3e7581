"""`gnas space`: look at search spaces without data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnas.cli.output import print_json, table

if TYPE_CHECKING:
    from gnas.space.protocol import Choice
    from gnas.space.yaml_space import YamlSpace

space = typer.Typer(
    no_args_is_help=True, help="Look at search spaces: list, info, sample, draw.", rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(help="Name of a space (see: gnas space list) or a YAML file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the sampling.")]


@space.command("list")
def list_(as_json: Json = False) -> None:
    """List the spaces that come along."""
    from gnas.space import list_spaces

    names = list(list_spaces())
    if as_json:
        print_json(names)
    else:
        typer.echo("\n".join(names))


@space.command()
def info(name: Name, as_json: Json = False) -> None:
    """Show the choices of a space and how many architectures it holds."""
    from gnas.space.info import describe

    loaded = _load(name)
    facts = describe(loaded)
    if as_json:
        details = [
            {"name": c.name, "values": c.values, "ordinal": c.ordinal, "when": [list(w) for w in c.when]}
            for c in loaded.choices
        ]
        print_json({**facts, "choice_details": details})
        return
    for key, value in facts.items():
        if value not in (None, "", [], (), {}):
            shown = f"{value:,}" if isinstance(value, int) else _short(value, 400)
            typer.echo(f"{key.replace('_', ' ')}: {shown}")
    rows = [[c.name, _short(c.values), _conditions(c)] for c in loaded.choices]
    typer.echo("\n" + table(["choice", "values", "active where"], rows, left=3))


@space.command()
def sample(
    name: Name,
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 3,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Draw architectures uniformly and show their choices and graphs."""
    import numpy as np

    loaded, rng = _load(name), np.random.default_rng(seed)
    architectures = [loaded.sample(rng) for _ in range(n)]
    if as_json:
        print_json([{"digest": a.digest, **json.loads(a.to_json())} for a in architectures])
        return
    for architecture in architectures:
        typer.echo(f"{architecture.digest}")
        for choice, value in architecture.assignment:
            typer.echo(f"  {choice}: {value}")
        for index, node in enumerate(architecture.nodes):
            params = ", ".join(f"{key}={value}" for key, value in node.params)
            typer.echo(f"  [{index}] {node.op}({params}) <- {list(node.inputs)}")


@space.command()
def draw(
    name: Name,
    out: Annotated[Path | None, typer.Option(help="SVG file; by default NAME.svg.")] = None,
    seed: Seed = 0,
) -> None:
    """Draw one architecture of a space as SVG."""
    import numpy as np

    from gnas.space.draw import draw_svg

    loaded = _load(name)
    path = out or Path(f"{Path(name).stem}.svg")
    path.write_text(draw_svg(loaded.sample(np.random.default_rng(seed))), encoding="utf-8")
    typer.echo(f"wrote {path}")


def _load(name: str) -> YamlSpace:
    from gnas.errors import SpaceError
    from gnas.space import load_space

    if name.endswith((".yaml", ".yml")) and not Path(name).is_file():
        raise SpaceError("no such space file", place=name, remedy="see: gnas space list")
    return load_space(name)


def _conditions(choice: Choice) -> str:
    return " and ".join(f"{name} in {_short(values)}" for name, values in choice.when)


def _short(value: object, most: int = 90) -> str:
    text = ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"
