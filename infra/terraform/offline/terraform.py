"""The real terraform program with this package's provider instead of Google's. Nothing is downloaded."""

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
"""The folder of the .tf files."""

_ADDRESS = "hashicorp/google"
_READ = (".tf", ".tfvars", ".tftest.hcl", ".json", ".rules", ".proto")
_USED = re.compile(r'^(resource|data) "(google_\w+)"', re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Terraform:
    """The terraform program and its environment."""

    program: str
    environment: Mapping[str, str]

    def run(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder without checking its exit status. Terraform's own files stay in the folder."""
        return subprocess.run(
            [self.program, *arguments], cwd=folder, env=self.environment, check=False, capture_output=True, text=True
        )


def find_terraform() -> str | None:
    """The path of terraform, if it is installed."""
    return shutil.which("terraform")


@contextmanager
def offline(program: str, schema: ProviderSchema) -> Iterator[Terraform]:
    """While the context is open, give terraform a provider with this schema instead of Google's."""
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
    """Copy everything that terraform reads below ``into``, and return the configuration's folder there.

    The staged functions are beside it, as terraform expects.
    """
    stage_all(into / "build")
    shutil.copytree(ROOT / "infra", into / "infra", ignore=lambda _, names: set(filter(_is_not_read, names)))
    return into / CONFIGURATION.relative_to(ROOT)


def used_resources(folder: Path = CONFIGURATION) -> tuple[set[str], set[str]]:
    """The types of Google's resources and data sources that the .tf files use."""
    found = {match for file in folder.glob("*.tf") for match in _USED.findall(file.read_text())}
    return ({name for kind, name in found if kind == "resource"}, {name for kind, name in found if kind == "data"})


def _is_not_read(name: str) -> bool:
    return name not in {"terraform", "environments", "tests", "contracts"} and not name.endswith(_READ)
