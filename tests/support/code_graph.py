"""The deployed code as a graph: which definition uses which, across modules.

The graph follows every name in a definition, and counts a class as a whole. So it may find too much reachable, but
never too little. It does not see names that are looked up by text, so tests have to search for those as well.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

Place = tuple[str, str]
"""A module, and the name of a definition at its top level."""


@dataclass(frozen=True)
class Code:
    """The Python files below ``functions`` and ``shared`` of a folder, some of them perhaps with another text."""

    root: Path
    instead: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def files(self) -> Mapping[str, str]:
        """What each file says, by its path."""
        paths = sorted(path for folder in ("functions", "shared") for path in (self.root / folder).rglob("*.py"))
        stored = {path.relative_to(self.root).as_posix(): path.read_text() for path in paths}
        return {**stored, **self.instead}

    @cached_property
    def trees(self) -> Mapping[str, ast.Module]:
        """The same taken apart, by the modules' names."""
        return {_module(path): _parsed(text) for path, text in self.files.items()}

    def reachable(self, module: str) -> set[Place]:
        """Every definition that those of a module name, and those name, and so on."""
        waiting = [(module, name) for name in _definitions(self.trees[module])]
        found: set[Place] = set()
        while waiting:
            place = waiting.pop()
            if place not in found:
                found.add(place)
                waiting += self._named_by(place)
        return found

    def nodes(self, place: Place) -> Sequence[ast.stmt]:
        """The statements that make a definition."""
        module, name = place
        return _definitions(self.trees[module])[name]

    def _named_by(self, place: Place) -> Iterator[Place]:
        module, _ = place
        for statement in self.nodes(place):
            for dotted in _names_in(statement):
                yield from self._meant(module, dotted)

    def _meant(self, module: str, dotted: str) -> Iterator[Place]:
        """What a name stands for: a definition of this module, of another one, or a module with all that is in it."""
        first = dotted.partition(".")[0]
        if first in _definitions(self.trees[module]):
            yield module, first
        for local, source, name in _imports(self.trees[module]).get(first, ()):
            whole = f"{source}.{name}" if name else source
            if whole in self.trees and f"{dotted}.".startswith(f"{local}."):
                behind = dotted.removeprefix(local).strip(".").partition(".")[0]
                for each in [behind] if behind else list(_definitions(self.trees[whole])):
                    yield from self._resolved(whole, each)
            elif name:
                yield from self._resolved(source, name)

    def _resolved(self, module: str, name: str) -> Iterator[Place]:
        """Follow a name through the modules that only pass it on."""
        if module not in self.trees:
            return
        if name in _definitions(self.trees[module]):
            yield module, name
        for _, source, there in _imports(self.trees[module]).get(name, ()):
            yield from self._resolved(source, there)


def _module(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def _definitions(tree: ast.Module) -> Mapping[str, Sequence[ast.stmt]]:
    found: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for name in _bound_by(statement):
            found.setdefault(name, []).append(statement)
    return found


@cache
def _imports(tree: ast.Module) -> Mapping[str, Sequence[tuple[str, str, str]]]:
    """What is imported anywhere in a module: its name here, the module it comes from, and its name there, if any.

    By the name's first part: ``import a.b`` makes names that begin with ``a``.
    """
    found: dict[str, list[tuple[str, str, str]]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for each in node.names:
                local = each.asname or each.name
                found.setdefault(local, []).append((local, node.module, each.name))
        elif isinstance(node, ast.Import):
            for each in node.names:
                local = each.asname or each.name
                found.setdefault(local.partition(".")[0], []).append((local, each.name, ""))
    return found


@cache
def _names_in(statement: ast.stmt) -> frozenset[str]:
    """The names in a statement with what stands behind their dots; of each only the longest."""
    nodes = list(ast.walk(statement))
    before_a_dot = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    found = (_dotted(node) for node in nodes if isinstance(node, ast.Attribute) or id(node) not in before_a_dot)
    return frozenset(filter(None, found))


def _dotted(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            before = _dotted(value)
            return None if before is None else f"{before}.{attribute}"
        case _:
            return None


def _bound_by(statement: ast.stmt) -> set[str]:
    """The names that a statement at the top level gives something to."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and _is_stored(node)}
        case _:
            below = (node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt))
            return {name for each in below for name in _bound_by(each)}


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)
