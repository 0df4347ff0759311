"""The rooms of ``shared``: modules, imports from module to module inside the room, and levels."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import grimp

from infra.build.stage import ROOT

ROOMS = ("edge", "admin", "audit", "people", "seats", "documents", "firestore", "rules")


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """``levels`` is the number of modules in the longest chain of imports, which is ``chain``, importer first."""

    name: str
    modules: int
    imports: int
    chain: tuple[str, ...]

    @property
    def levels(self) -> int:
        return len(self.chain)


def rooms() -> list[Room]:
    """Read the imports of ``shared``, room by room, from the top one down."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    graph = grimp.build_graph("shared", cache_dir=None)
    return [_room(name, graph) for name in ROOMS]


def _room(name: str, graph: grimp.ImportGraph) -> Room:
    modules = {module for module in graph.modules if module.startswith(f"shared.{name}.")}
    inside = {module: graph.find_modules_directly_imported_by(module) & modules for module in modules}
    chain = max((_longest(module, inside) for module in sorted(modules)), key=len)
    return Room(
        name=name,
        modules=len(modules),
        imports=sum(map(len, inside.values())),
        chain=tuple(module.rpartition(".")[2] for module in chain),
    )


def _longest(module: str, inside: Mapping[str, set[str]]) -> list[str]:
    below = (_longest(imported, inside) for imported in sorted(inside[module]))
    return [module, *max(below, key=len, default=[])]
