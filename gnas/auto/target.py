"""The user's own code: functions named `package.module:function` or `file.py:function`, and the model they make.

Importing such a module and calling such a function is the only foreign code that runs here.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from gnas.checking import suggest
from gnas.errors import SpecError, UserError

ACCEPTED = "package.module:function or file.py:function"
_OURS = str(Path(__file__).parents[1])
_LIBRARIES = ("/torch/", "<frozen", "/importlib/")


@dataclass(frozen=True, slots=True)
class Subject:
    """A model with the inputs it came with.

    Attributes:
        model: The module.
        args: Example inputs by position; None where the factory gave no inputs.
        kwargs: Example inputs by name.
    """

    model: nn.Module
    args: tuple[Any, ...] | None = None
    kwargs: Mapping[str, Any] | None = None


def load_subject(target: str, *, folder: Path | None = None, place: str = "TARGET") -> Subject:
    """Calls the factory that `target` names.

    Args:
        target: `package.module:factory` or `file.py:factory`; a name bound to a module serves too.
        folder: Where files are looked for; the working directory by default.
        place: How messages name the place of `target`.

    Raises:
        SpecError: It cannot be found, fails, or gives something else than `module`, `(module, args)` or
            `(module, args, kwargs)`, with the line of the user's code.
    """
    made = load_function(target, folder=folder, place=place, what="factory")
    if not isinstance(made, nn.Module):
        made = call(made, target, what="the factory")
    return _subject(made, target)


def _subject(made: Any, target: str) -> Subject:
    parts = made if isinstance(made, tuple) else (made,)
    model, args, kwargs = (*parts, None, None)[:3]
    if isinstance(model, nn.Module) and len(parts) <= 3 and (kwargs is None or isinstance(kwargs, Mapping)):
        if args is not None and not isinstance(args, tuple):
            args = tuple(args) if isinstance(args, list) else (args,)
        return Subject(model, args, None if kwargs is None else dict(kwargs))
    got = ", ".join(type(part).__name__ for part in parts)
    raise SpecError(
        "the factory does not return a model",
        place=target,
        value=f"({got})" if isinstance(made, tuple) else got,
        accepted="a torch.nn.Module, (module, args) or (module, args, kwargs)",
    )


def load_function(
    target: str, *, folder: Path | None = None, place: str, what: str = "function"
) -> Callable[..., Any] | nn.Module:
    """What `target` names: something that can be called.

    Raises:
        SpecError: No such file, module or name, or the import fails, with the line of the user's code.
    """
    where, _, name = target.rpartition(":")
    if not where or not name.isidentifier():
        raise SpecError(f"names no {what}", place=place, value=target, accepted=ACCEPTED)
    module = _of_file(where, folder, place) if where.endswith(".py") else _of_package(where, folder, place)
    found = getattr(module, name, None)
    if found is None:
        names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        own = [n for n in names if getattr(vars(module)[n], "__module__", None) == module.__name__] or names
        raise SpecError(
            f"no {what} of that name in {where}",
            place=place,
            value=name,
            accepted=", ".join(own[:12]) or None,
            remedy=suggest(name, names) or None,
        )
    if not callable(found):
        raise SpecError(f"{name} is no {what}", place=place, value=type(found).__name__, accepted="a function")
    made: Callable[..., Any] | nn.Module = found
    return made


def call(function: Callable[..., Any], name: str, *args: Any, what: str = "the function") -> Any:
    """Calls a function of the user's; what it prints goes to stderr.

    Raises:
        SpecError: It raises, or needs other arguments, with the line of the user's code.
    """
    try:
        inspect.signature(function).bind(*args)
    except TypeError as error:
        count = "no argument" if not args else f"{len(args)} argument{'s' * (len(args) > 1)}"
        raise SpecError(
            f"{what} cannot be called with {count} ({error})", place=name, remedy=f"let it take {count}"
        ) from None
    except ValueError:
        pass
    with users_code(name, what):
        return function(*args)


@contextmanager
def users_code(name: str, what: str) -> Iterator[None]:
    """Errors of the user's code become one message with the line; what it prints goes to stderr.

    Raises:
        SpecError: The code inside raised.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise SpecError(
            f"{what} failed ({type(error).__name__}: {first_line(error)})", place=line_of(error) or name
        ) from error


def _of_file(text: str, folder: Path | None, place: str) -> ModuleType:
    path = (folder or Path()) / Path(text).expanduser()
    if not path.is_file():
        raise SpecError("no such file", place=place, value=text, accepted=ACCEPTED)
    path = path.resolve()
    _look_in(path.parent)
    name = f"_gnas_target_{path.stem}_{blake2b(str(path).encode(), digest_size=4).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SpecError("cannot be imported", place=place, value=text, accepted=ACCEPTED)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _importing(text):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _of_package(text: str, folder: Path | None, place: str) -> ModuleType:
    if not all(part.isidentifier() for part in text.split(".")):
        raise SpecError("names no module", place=place, value=text, accepted=ACCEPTED)
    _look_in((folder or Path()).resolve())
    try:
        with _importing(text):
            return importlib.import_module(text)
    except SpecError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name and f"{text}.".startswith(f"{cause.name}."):
            raise SpecError(
                f"no module named {cause.name!r}",
                place=place,
                value=text,
                accepted=ACCEPTED,
                remedy="install it, or start gnas where it can be imported",
            ) from None
        raise


@contextmanager
def _importing(text: str) -> Iterator[None]:
    with users_code(text, f"importing {text}"):
        yield


def _look_in(folder: Path) -> None:
    """Modules beside the user's file, or in the working directory, can be imported, as for a script of Python's."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def first_line(error: BaseException) -> str:
    """First line of an error's text, not too long."""
    return (str(error).strip().splitlines() or ["no message"])[0][:300]


def line_of(error: BaseException) -> str:
    """`file:line` of the innermost frame that is neither torch's nor ours; empty if there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_OURS) and not any(part in frame.filename for part in _LIBRARIES):
            return f"{frame.filename}:{frame.lineno}"
    return ""
