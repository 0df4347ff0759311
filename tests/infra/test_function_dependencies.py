"""What a function needs follows from its imports, however they are written, and from nothing else."""

from importlib.metadata import files
from pathlib import Path

import pytest

from infra.build.function_dependencies import FOR_THE_SERVER, PROVIDED_BY, Needs, NeedsError, needs_of
from infra.build.stage import ROOT, function_names


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small project: two rooms, three modules."""
    requirements = "\n".join(f"{name}==1" for name in (*FOR_THE_SERVER, "pydantic", "grpcio", "starlette"))
    files = {
        "shared/__init__.py": '"""All."""\n',
        "shared/edge/__init__.py": '"""A room."""\n',
        "shared/edge/talk.py": "from shared.rules.decide import Decision\n",
        "shared/edge/alone.py": "import grpc\n",
        "shared/rules/__init__.py": '"""A room."""\n',
        "shared/rules/decide.py": "from dataclasses import dataclass\n",
        "requirements.txt": f"# Exactly.\n{requirements}; sys_platform != 'win32'  # and why\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def needs(root: Path, code: str) -> Needs:
    entry = root / "main.py"
    entry.write_text(code)
    return needs_of(entry, root=root)


def modules(root: Path, code: str) -> set[str]:
    return {str(path.relative_to(root)) for path in needs(root, code).modules if path.name != "__init__.py"}


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("from shared.edge.talk import talk\n", id="a name of a module"),
        pytest.param("from shared.edge import talk\n", id="a module of a package"),
        pytest.param("import shared.edge.talk\n", id="by its full name"),
        pytest.param("import shared.edge.talk as other\n", id="by another name"),
        pytest.param("def f():\n    from shared.edge import talk\n", id="inside a function"),
        pytest.param("try:\n    import shared.edge.talk\nexcept ImportError: pass\n", id="in an attempt"),
        pytest.param("if TYPE_CHECKING:\n    from shared.edge.talk import T\n", id="for types"),
    ],
)
def test_an_import_of_a_module_of_ours_brings_it_and_what_it_imports(root: Path, code: str) -> None:
    assert modules(root, code) == {"shared/edge/talk.py", "shared/rules/decide.py"}


def test_a_module_brings_the_packages_around_it(root: Path) -> None:
    found = needs(root, "import shared.rules.decide\n").modules

    assert [str(path.relative_to(root)) for path in found] == [
        "shared/__init__.py",
        "shared/rules/__init__.py",
        "shared/rules/decide.py",
    ]


def test_requirements_are_lines_of_the_projects_in_its_order_with_pins_and_markers(root: Path) -> None:
    found = needs(root, "import starlette.requests\nimport pydantic\n").requirements

    server = [f"{name}==1" for name in FOR_THE_SERVER]
    assert list(found) == [*server, "pydantic==1", "starlette==1; sys_platform != 'win32'"]


def test_what_a_module_of_ours_imports_is_a_requirement_too(root: Path) -> None:
    assert "grpcio==1" in needs(root, "from shared.edge import alone\n").requirements
    assert "grpcio==1" not in needs(root, "from shared.edge import talk\n").requirements


@pytest.mark.parametrize(
    ("code", "told"),
    [
        pytest.param("import shared.edge.gone\n", "no such module", id="a module that is not there"),
        pytest.param("from shared.edge import gone\n", "no such module", id="a name that is no module"),
        pytest.param(
            "import numpy\n",
            "imports numpy: add its distribution to PROVIDED_BY in infra/build/function_dependencies.py",
            id="what nobody brings",
        ),
        pytest.param(
            "import google.cloud.scheduler_v1\n", "scheduler_v1: add its distribution", id="another of Google's"
        ),
        pytest.param("import cachetools\n", "requirements.txt pins no cachetools", id="what is not pinned"),
        pytest.param("from . import talk\n", "line 1: replace the relative import", id="relatively"),
        pytest.param("import importlib\n", "hides an import", id="by a program"),
        pytest.param("m = __import__('shared.edge.talk')\n", "hides an import", id="by a built-in function"),
    ],
)
def test_what_cannot_be_followed_is_refused(root: Path, code: str, told: str) -> None:
    with pytest.raises(NeedsError, match=told):
        needs(root, code)


def test_every_distribution_brings_what_is_said_of_it() -> None:
    # By file, because many distributions share the name google.
    wrong = [
        (package, distribution)
        for package, distribution in PROVIDED_BY.items()
        if not any(str(file).startswith(package.replace(".", "/")) for file in files(distribution) or ())
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("distribution", "functions"),
    [
        ("google-cloud-pubsub", {"expire_sessions", "relay_audit"}),
        ("cloudevents", {"relay_audit", "review_admin_edit", "sync_user_claims"}),
        ("PyJWT", {"acquire", "heartbeat"}),
        ("google-cloud-firestore", set(function_names()) - {"keys"}),
        (
            "firebase-admin",
            {
                "acquire",
                "heartbeat",
                "history",
                "invitations",
                "join",
                "members",
                "release",
                "usage",
                "sync_user_claims",
            },
        ),
        ("idna", {"invitations", "join", "members", "reconcile", "review_admin_edit", "sync_user_claims"}),
    ],
)
def test_what_is_slow_to_start_is_installed_only_where_it_is_used(distribution: str, functions: set[str]) -> None:
    holders = {
        name
        for name in function_names()
        for line in needs_of(ROOT / "functions" / name / "main.py", root=ROOT).requirements
        if line.startswith(distribution)
    }

    assert holders == functions & set(function_names())
