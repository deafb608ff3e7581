"""`gnas init`: a commented spec to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    domain: Annotated[str, typer.Argument(help="Name of an installed domain.")],
    out: Annotated[Path | None, typer.Option(help="File to write; by default it is printed.")] = None,
) -> None:
    """Write a commented spec to start from."""
    from gnas.checking import suggest
    from gnas.domain import domain_names, load_domain
    from gnas.errors import MissingExtraError, SpecError

    names = list(domain_names())
    if domain not in names:
        raise SpecError(
            "unknown domain",
            value=domain,
            accepted=", ".join(names) or "none is installed",
            remedy=suggest(domain, names),
        )
    try:
        text = load_domain(domain).template()
    except ModuleNotFoundError as error:
        raise MissingExtraError.of(error.name or str(error), domain) from error
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SpecError("the file is already there", place=str(out), remedy="choose another name with --out") from None
    except FileNotFoundError:
        raise SpecError("no such folder", place=str(out.parent), remedy="make it first") from None
    typer.echo(f"wrote {out}; next: gnas plan {out}")
