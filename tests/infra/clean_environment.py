"""Environments that hold what a requirements.txt names and nothing else, installed as the platform's build does it."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from uv import find_uv_bin


@dataclass(frozen=True, kw_only=True)
class CleanEnvironments:
    """One environment for each distinct set of requirements, made when it is first asked for."""

    folder: Path
    _made: dict[str, Path] = field(default_factory=dict)

    def holding(self, requirements: Path) -> Path:
        """Give the folder of the programs of the environment that holds these requirements."""
        wanted = requirements.read_text()
        if wanted not in self._made:
            self._made[wanted] = self._make(requirements, self.folder / f"environment-{len(self._made)}")
        return self._made[wanted]

    def _make(self, requirements: Path, made: Path) -> Path:
        run("venv", "--python", sys.executable, str(made))
        install = (
            "pip",
            "install",
            "--python",
            str(made / "bin/python"),
            "--require-hashes",
            "--requirements",
            str(requirements),
        )
        try:
            run(*install)
        except AssertionError as online:
            # Without a way out of this machine, what was installed before is still in uv's cache.
            try:
                run(*install, "--offline")
            except AssertionError as offline:
                message = f"needs PyPI, or uv's cache of a run before: {online} {offline}"
                raise AssertionError(message) from None
        return made / "bin"


def run(*arguments: str) -> None:
    """Run uv and insist that it succeeds."""
    ran = subprocess.run([find_uv_bin(), *arguments, "--quiet"], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
