"""Stage the functions: one folder for each, with everything that the platform needs to run it alone.

The platform starts the bare ``functions-framework`` script, which puts only the source's own folder on the path, so
``main.py``, ``shared/`` and ``requirements.txt`` have to stand side by side. Standard library only.
"""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def function_names(root: Path = ROOT) -> list[str]:
    """List the functions: the folders that hold a ``main.py``."""
    return sorted(path.parent.name for path in (root / "functions").glob("*/main.py"))


def stage(name: str, into: Path, *, root: Path = ROOT) -> Path:
    """Stage one function below ``into`` and return its folder, which is replaced if it exists."""
    target = into / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy2(root / "functions" / name / "main.py", target)
    shutil.copy2(root / "requirements.txt", target)
    shutil.copytree(root / "shared", target / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    return target


def main() -> None:
    """Stage every function below ``build/``."""
    for name in function_names():
        print(stage(name, ROOT / "build"))  # noqa: T201 the command's answer


if __name__ == "__main__":
    main()
