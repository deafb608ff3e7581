"""`gnas space`: look at search spaces without data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnas.cli.output import print_json, table

if TYPE_CHECKING:
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

    facts = describe(_load(name))
    if as_json:
        print_json(facts)
        return
    for key, value in facts.items():
        if key == "choices" and isinstance(value, list) and value and isinstance(value[0], dict):
            rows = [[str(c.get("name")), _short(c.get("values")), _short(c.get("when") or "")] for c in value]
            typer.echo(table(["choice", "values", "when"], rows))
        else:
            typer.echo(f"{key}: {value:,}" if isinstance(value, int) else f"{key}: {_short(value)}")


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
        print_json([architecture.to_json() for architecture in architectures])
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


def _short(value: object, most: int = 90) -> str:
    text = ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"
