"""The real terraform program, with the provider of this package in place of Google's. Nothing is downloaded."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.build.stage import ROOT, stage_all
from infra.terraform.offline.provider import served
from infra.terraform.offline.schema import ProviderSchema

CONFIGURATION = ROOT / "infra/terraform"
"""Where the .tf files are."""

_ADDRESS = "hashicorp/google"
_READ = (".tf", ".tfvars", ".tftest.hcl", ".json", ".rules", ".proto")
_USED = re.compile(r'^(resource|data) "(google_\w+)"', re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Terraform:
    """How to call it."""

    program: str
    environment: Mapping[str, str]

    def run(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder, whatever comes of it. What terraform keeps for the folder is kept in it."""
        return subprocess.run(
            [self.program, *arguments], cwd=folder, env=self.environment, check=False, capture_output=True, text=True
        )


def find_terraform() -> str | None:
    """Say where terraform is, if it is."""
    return shutil.which("terraform")


@contextmanager
def offline(program: str, schema: ProviderSchema) -> Iterator[Terraform]:
    """Have terraform find a provider of this schema wherever it wants Google's, until the end."""
    with TemporaryDirectory(prefix="seatlease-") as folder:
        socket = Path(folder) / "provider.sock"
        running = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": os.getpid(),
            "Test": True,
            "Addr": {"Network": "unix", "String": str(socket)},
        }
        settings = {
            "TF_REATTACH_PROVIDERS": json.dumps({_ADDRESS: running}),
            "TF_CLI_CONFIG_FILE": os.devnull,
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }
        with served(schema, socket):
            yield Terraform(program=program, environment={**os.environ, **settings})


def copy_configuration(into: Path) -> Path:
    """Copy everything that terraform reads below ``into``, for it to work in and to be changed, and return where.

    Beside it everything is staged, as terraform expects it.
    """
    stage_all(into / "build")
    shutil.copytree(ROOT / "infra", into / "infra", ignore=lambda _, names: set(filter(_is_not_read, names)))
    return into / CONFIGURATION.relative_to(ROOT)


def used_resources(folder: Path = CONFIGURATION) -> tuple[set[str], set[str]]:
    """Name the kinds of Google's resources and of its data sources that the .tf files use."""
    found = {match for file in folder.glob("*.tf") for match in _USED.findall(file.read_text())}
    return ({name for kind, name in found if kind == "resource"}, {name for kind, name in found if kind == "data"})


def _is_not_read(name: str) -> bool:
    return name not in {"terraform", "environments", "tests", "contracts"} and not name.endswith(_READ)
