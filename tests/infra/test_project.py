"""Rules of the project that no linter knows."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

from infra.build.stage import ROOT


def project_files(*folders: str) -> list[Path]:
    """The Python files that git knows or would add."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "--", *folders]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    # Git lists a file that was deleted but not yet committed so.
    return [Path(name) for name in listed if name.endswith(".py") and (ROOT / name).exists()]


def names_the_environment(path: Path) -> bool:
    """Whether the code reads or writes environment variables by way of ``os``."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name) if name in names:
                return True
    return False


def texts(path: Path) -> Iterator[str]:
    """The literal texts of the code, those within f-strings too; not its docstrings."""
    tree = ast.parse((ROOT / path).read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_what_is_deployed_reads_its_environment_in_one_file() -> None:
    files = project_files("functions", "shared")

    named_in = [str(path) for path in files if names_the_environment(path)]

    # The first says what functions-framework is to read, and reads nothing itself.
    assert named_in == ["shared/edge/platform.py", "shared/edge/settings.py"]


def test_document_paths_are_built_in_one_file() -> None:
    files = project_files("functions", "shared")

    builders = [str(path) for path in files if any("organizations/" in text for text in texts(path))]

    assert builders == ["shared/documents/paths.py"]
