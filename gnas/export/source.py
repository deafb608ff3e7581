"""Source of layer classes with all they need, gathered from the modules that define them.

A class is copied word for word from its module, together with what it uses of that module (functions, classes,
constants) and the imports these use. Imports of the standard library, of torch and of torch-geometric stay imports;
what comes from any other module is copied in its turn.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

from torch import nn

from gnas.errors import ExportError

LIBRARIES = ("torch", "torch_geometric")
"""What an exported file may import beside the standard library."""


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """`import module as name`, or `from module import attribute as name` where `attribute` is not empty."""

    module: str
    attribute: str
    name: str

    def clause(self) -> str:
        """What stands after `import`."""
        target = self.attribute or self.module
        return target if target == self.name else f"{target} as {self.name}"


@dataclass(slots=True)
class SourceCollector:
    """Gathers definitions and imports for a file that stands alone.

    Attributes:
        reserved: Names that nothing gathered may have.
        imports: By the name they bind.
    """

    reserved: frozenset[str] = frozenset()
    imports: dict[str, Import] = field(default_factory=dict)
    _modules: dict[str, _ModuleSource] = field(default_factory=dict)
    _order: list[str] = field(default_factory=list)
    _owners: dict[str, str] = field(default_factory=dict)

    def add_import(self, module: str, attribute: str = "", name: str = "") -> str:
        """Registers an import and returns the name it binds.

        Raises:
            ExportError: Another import or a definition has that name.
        """
        wanted = Import(module, attribute, name or attribute or module)
        present = self.imports.setdefault(wanted.name, wanted)
        if present != wanted or wanted.name in self._owners:
            raise _clash(wanted.name, module, self._owners.get(wanted.name, present.module))
        return wanted.name

    def expression(self, kind: type[nn.Module]) -> str:
        """The expression that names a layer class in the file, with its import or its definition registered."""
        name = kind.__name__
        if getattr(nn, name, None) is kind:
            self.add_import("torch", "nn")
            return f"nn.{name}"
        if _top(kind.__module__) in LIBRARIES:
            return self.add_import(_shortest(kind), name)
        if kind.__qualname__ != name:
            raise ExportError("a layer class must stand at the top of its module", value=kind.__qualname__)
        self._define(kind.__module__, name)
        return name

    def function(self, function: Callable[..., object]) -> str:
        """The name of a function in the file, with its definition registered.

        Raises:
            ExportError: It does not stand at the top of its module, or its source cannot be had.
        """
        name = function.__name__
        if function.__qualname__ != name:
            raise ExportError("a function must stand at the top of its module", value=function.__qualname__)
        self._define(function.__module__, name)
        return name

    def definitions(self) -> list[str]:
        """Source of the gathered definitions: modules before those that use them, in the order of each file."""
        return [text for module in self._order for text in self._modules[module].chosen()]

    def import_block(self) -> str:
        """All imports, sorted the usual way: standard library, then the others."""
        sections = []
        for standard in (True, False):
            chosen = [item for item in self.imports.values() if _is_standard(item.module) is standard]
            lines = [f"import {item.clause()}" for item in sorted(chosen) if not item.attribute]
            sources = sorted({item.module for item in chosen if item.attribute})
            for source in sources:
                clauses = [item.clause() for item in chosen if item.attribute and item.module == source]
                lines.append(_from_import(source, sorted(clauses, key=_isort_key)))
            sections.append("\n".join(lines))
        return "\n\n".join(section for section in sections if section)

    def _define(self, module: str, name: str) -> None:
        source = self._source(module)
        if name in source.wanted:
            return
        owner = self._owners.setdefault(name, module)
        if owner != module or name in self.imports:
            raise _clash(name, module, owner if owner != module else self.imports[name].module)
        if name in self.reserved:
            raise _clash(name, module, "the file itself")
        source.wanted.add(name)
        for used in sorted(source.uses(name)):
            if used in source.definitions:
                self._define(module, used)
            elif used in source.imported:
                self._bring(source, source.imported[used])
        if module not in self._order:
            self._order.append(module)

    def _bring(self, source: _ModuleSource, item: Import) -> None:
        if _is_standard(item.module) or _top(item.module) in LIBRARIES:
            self.add_import(item.module, item.attribute, item.name)
            return
        if not item.attribute or item.attribute != item.name:
            raise ExportError(
                f"{source.module.__name__} imports {item.module} in a way that cannot be copied into model.py",
                value=item.clause(),
                accepted="from module import name, without another name",
            )
        self._define(item.module, item.attribute)

    def _source(self, module: str) -> _ModuleSource:
        if module not in self._modules:
            self._modules[module] = _ModuleSource(importlib.import_module(module))
        return self._modules[module]


class _ModuleSource:
    """A parsed module: its definitions and imports by the names they bind.

    Attributes:
        definitions: Top-level statements by name.
        imported: Imports by name.
        wanted: Names to be copied.
    """

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        try:
            self._text = inspect.getsource(module)
        except (OSError, TypeError) as error:
            raise ExportError(f"the source of {module.__name__} is not available", remedy=str(error)) from error
        self._lines = self._text.splitlines()
        self.definitions: dict[str, ast.stmt] = {}
        self.imported: dict[str, Import] = {}
        self.wanted: set[str] = set()
        for statement in ast.parse(self._text).body:
            self._index(statement)

    def uses(self, name: str) -> set[str]:
        """Names the definition of `name` reads, annotations included."""
        return {node.id for node in ast.walk(self.definitions[name]) if isinstance(node, ast.Name)} - {name}

    def chosen(self) -> list[str]:
        """Source of the wanted definitions in the order of the file, each statement once."""
        statements = {id(self.definitions[name]): self.definitions[name] for name in self.wanted}
        return [self._segment(item) for item in sorted(statements.values(), key=lambda item: item.lineno)]

    def _segment(self, statement: ast.stmt) -> str:
        decorators = getattr(statement, "decorator_list", [])
        first = min([statement.lineno, *(item.lineno for item in decorators)])
        return "\n".join(self._lines[first - 1 : statement.end_lineno])

    def _index(self, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self.definitions[statement.name] = statement
            case ast.Assign():
                for target in statement.targets:
                    for node in ast.walk(target):
                        if isinstance(node, ast.Name):
                            self.definitions[node.id] = statement
            case ast.AnnAssign(target=ast.Name() as target):
                self.definitions[target.id] = statement
            case ast.Import():
                for alias in statement.names:
                    # NOTE: `import a.b` binds `a`, but only the whole name loads the submodule.
                    name = alias.asname or _top(alias.name)
                    self.imported[name] = Import(alias.name, "", alias.asname or alias.name)
            case ast.ImportFrom():
                source = self._absolute(statement)
                for alias in statement.names:
                    if source != "__future__":
                        name = alias.asname or alias.name
                        self.imported[name] = Import(source, alias.name, name)
            case ast.If():
                for inner in statement.body:
                    self._index(inner)

    def _absolute(self, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        return importlib.util.resolve_name("." * statement.level + (statement.module or ""), self.module.__package__)


def _shortest(kind: type[nn.Module]) -> str:
    """The shortest public module of a library that offers the class."""
    parts = kind.__module__.split(".")
    for end in range(1, len(parts) + 1):
        module = ".".join(parts[:end])
        if getattr(importlib.import_module(module), kind.__name__, None) is kind:
            return module
    return kind.__module__


def _top(module: str) -> str:
    return module.partition(".")[0]


def _is_standard(module: str) -> bool:
    return _top(module) in sys.stdlib_module_names


def _from_import(source: str, clauses: list[str]) -> str:
    line = f"from {source} import {', '.join(clauses)}"
    if len(line) <= 120:
        return line
    return f"from {source} import (\n" + "".join(f"    {clause},\n" for clause in clauses) + ")"


def _isort_key(clause: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as isort orders the members of an import."""
    name = clause.partition(" ")[0]
    rank = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return rank, name


def _clash(name: str, one: str, other: str) -> ExportError:
    return ExportError(
        "two things in model.py would have one name",
        value=name,
        place=f"{one} and {other}",
        remedy="rename one of them in its module",
    )
