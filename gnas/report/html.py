"""A template with the house's style and script as one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from importlib.resources.abc import Traversable

from jinja2 import Environment, FunctionLoader, StrictUndefined

from gnas import __version__
from gnas.report import text
from gnas.report.compare import Spread

_FOLDER = files("gnas.report") / "templates"


def render_page(
    template: str, names: dict[str, object], *, folders: Sequence[Traversable] = (), now: datetime | None = None
) -> str:
    """The whole page; every string is escaped, nothing is loaded from elsewhere.

    Args:
        template: Its file name.
        names: What it shows, beside style, script, version, time and the words of `gnas.report.text`.
        folders: Where templates are looked for before the house's own.
        now: When it was written; the present by default.
    """
    places = (*folders, _FOLDER)

    def source(name: str) -> str:
        folder = next(f for f in places if (f / name).is_file())
        return (folder / name).read_text(encoding="utf-8")

    script = source("report.js")
    return (
        _environment(FunctionLoader(source))
        .get_template(template)
        .render(
            style=source("report.css"),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            written=(now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
            version=__version__,
            text=text,
            **names,
        )
    )


def _environment(loader: FunctionLoader) -> Environment:
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = text.number
    environment.filters["plus_minus"] = _parts
    environment.filters["duration"] = text.duration
    environment.filters["choice_value"] = text.choice_value
    return environment


def _parts(value: Spread) -> tuple[str, str]:
    mean, _, sd = text.plus_minus(value.mean, value.sd).partition(" ± ")
    return mean, sd
