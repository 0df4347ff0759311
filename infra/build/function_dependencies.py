"""Find what a function needs at run time: modules of ``shared``, and distributions of ``requirements.txt``.

Both follow from its imports. The code is read, not run. Every ``import`` in every reachable module counts, also inside
functions and for types. So the result may have a module too many, but never one too few. Standard library only.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

OURS = "shared"
"""The package whose needed modules are copied to a function."""

PROVIDED_BY: Mapping[str, str] = {
    "cachetools": "cachetools",
    "cloudevents": "cloudevents",
    "firebase_admin": "firebase-admin",
    "functions_framework": "functions-framework",
    "google.api_core": "google-api-core",
    "google.auth": "google-auth",
    "google.cloud.firestore_v1": "google-cloud-firestore",
    "google.pubsub_v1": "google-cloud-pubsub",
    "grpc": "grpcio",
    "idna": "idna",
    "jwt": "pyjwt",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic-core",
    "pythonjsonlogger": "python-json-logger",
    "starlette": "starlette",
}
"""The distribution for an imported name. A name also stands for the longer names below it."""

FOR_THE_SERVER = ("functions-framework", "httptools", "uvloop")
"""Every function needs these to be served. The server uses the last two if they are installed."""

_RUNS_UNSEEN = frozenset({"importlib", "pkgutil", "runpy", "__import__", "exec", "eval"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class NeedsError(Exception):
    """The function's needs cannot be determined. Nothing was staged. The message says what to change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """Paths of files in the project's folder, and lines of ``requirements.txt`` in its order."""

    modules: tuple[Path, ...]
    requirements: tuple[str, ...]


def needs_of(entry: Path, *, root: Path) -> Needs:
    """Follow the imports of a function's ``main.py``.

    Raises:
        NeedsError: an import has no known distribution, or cannot be followed.
    """
    modules: set[Path] = set()
    outside: set[str] = set()
    ahead = [entry]
    while ahead:
        file = ahead.pop()
        for name in _imports(file.read_text(), file):
            if name.partition(".")[0] != OURS:
                outside.add(_distribution(name, file))
                continue
            found = set(_files(name, root, file)) - modules
            modules |= found
            ahead += sorted(found)
    pins = _pins(root / "requirements.txt")
    wanted = (outside - {""}) | set(FOR_THE_SERVER)
    if missing := sorted(wanted - pins.keys()):
        message = f"requirements.txt pins no {', '.join(missing)}, which {entry} needs: add it and run make lock"
        raise NeedsError(message)
    return Needs(
        modules=tuple(sorted(modules)), requirements=tuple(line for name, line in pins.items() if name in wanted)
    )


@cache
def _imports(code: str, file: Path) -> frozenset[str]:
    """The full names of everything that the module imports. ``from a import b`` gives ``a.b``, module or not."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code, filename=str(file))):
        match node:
            case ast.Import(names=names):
                found |= {_followed(alias.name, file) for alias in names}
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                found |= {_followed(f"{module}.{alias.name}", file) for alias in names}
            case ast.ImportFrom():
                message = f"{file}, line {node.lineno}: replace the relative import by the full name"
                raise NeedsError(message)
            case ast.Name(id=name):
                _followed(name, file)
    return frozenset(found)


def _followed(name: str, file: Path) -> str:
    if name.partition(".")[0] in _RUNS_UNSEEN:
        message = f"{file} uses {name}, which hides an import: use an import statement instead"
        raise NeedsError(message)
    return name


def _files(name: str, root: Path, file: Path) -> Iterator[Path]:
    """The files that run when a name of our package is imported: its packages, and the module itself."""
    place = root
    for part in name.split("."):
        place /= part
        if place.with_suffix(".py").is_file():
            yield place.with_suffix(".py")
            return
        if (place / "__init__.py").is_file():
            yield place / "__init__.py"
    # Our packages define nothing themselves, so a name imported from a package is a module.
    message = f"{file} imports {name}: there is no such module"
    raise NeedsError(message)


def _distribution(name: str, file: Path) -> str:
    """The distribution that provides an imported name; empty for the standard library."""
    if name.partition(".")[0] in sys.stdlib_module_names:
        return ""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if (found := PROVIDED_BY.get(".".join(parts[:length]))) is not None:
            return found
    message = f"{file} imports {name}: add its distribution to PROVIDED_BY in infra/build/function_dependencies.py"
    raise NeedsError(message)


def _pins(requirements: Path) -> dict[str, str]:
    lines = (line.partition("#")[0].strip() for line in requirements.read_text().splitlines())
    return {named[0].lower(): line for line in lines if (named := _NAME.match(line)) is not None}
