"""Search spaces by name: those shipped in `gnas_spaces`, and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from gnas.architecture import Value
from gnas.errors import SpaceError
from gnas.space.marks import accepted_names, suggestion
from gnas.space.yaml_space import YamlSpace

_SUFFIX = ".yaml"


def _root() -> Path:
    return Path(str(files("gnas_spaces")))


def list_spaces() -> tuple[str, ...]:
    """Names of the shipped spaces, sorted (`benchmarks/nasbench201`)."""
    root = _root()
    return tuple(sorted(p.relative_to(root).with_suffix("").as_posix() for p in root.glob(f"*/*{_SUFFIX}")))


def load_space(name_or_path: str | Path, restrict: Mapping[str, Iterable[Value]] | None = None) -> YamlSpace:
    """A space by its name (`benchmarks/nasbench201`, or `nasbench201` where only one is called so) or file.

    Args:
        name_or_path: Name of a shipped space, or path of a YAML file.
        restrict: Values allowed for choices, by name or pattern (`layers.*.conv`).

    Raises:
        SpaceError: No such space, or a definition that is wrong.
    """
    text = str(name_or_path)
    path = Path(text)
    if path.suffix in (_SUFFIX, ".yml"):
        name, shown = path.stem, text
    else:
        name = _full_name(text)
        path, shown = _root() / f"{name}{_SUFFIX}", f"{name}{_SUFFIX}"
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpaceError(f"the file of a search space cannot be read ({error})", place=text) from error
    return YamlSpace(name, content, shown, restrict)


def _full_name(name: str) -> str:
    known = list_spaces()
    matching = [k for k in known if k == name or k.rpartition("/")[2] == name]
    if len(matching) != 1:
        raise SpaceError(
            f"no search space is named {name!r}" if not matching else f"several spaces are named {name!r}",
            accepted=accepted_names(matching or known) + ", or the path of a .yaml file",
            remedy=suggestion(name, [*known, *(k.rpartition("/")[2] for k in known)]) or None,
        )
    return matching[0]
