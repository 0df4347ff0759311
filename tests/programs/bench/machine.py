"""The machine and the commit that were measured."""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra.build.stage import ROOT
from tests.programs.bench.cpu import cores


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The machine and the code. ``load_average`` is that of the minute before the benchmark began."""

    cores: int
    cpu: str
    system: str
    python: str
    commit: str
    load_average: float | None

    @property
    def in_words(self) -> str:
        """The machine in a line, without the commit."""
        load = "" if self.load_average is None else f", load average before {self.load_average:.2f}"
        return f"{self.cores} cores, {self.cpu}, {self.system}, Python {self.python}{load}"


def this_machine() -> Machine:
    """Describe the machine."""
    return Machine(
        cores=cores(),
        cpu=_cpu_model(),
        system=platform.platform(),
        python=platform.python_version(),
        commit=_commit(),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    commit = _output(git, "rev-parse", "HEAD")
    if not commit:
        return "unknown"
    return f"{commit} with uncommitted changes" if _output(git, "status", "--porcelain") else commit


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
