"""Terraform without its provider.

``python -m infra.terraform.offline terraform validate`` (or ``test`` ...) runs terraform in a copy of ``infra/``. The
schema in ``google-schema.json`` replaces the provider.

``python -m infra.terraform.offline extract WHEEL`` writes that file for the resources that the .tf files use. It reads
the package from ``pip download --no-deps cdktn-provider-google==21.1.0``.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.terraform.offline.archive import read_archive
from infra.terraform.offline.schema import SCHEMA, ProviderSchema
from infra.terraform.offline.terraform import copy_configuration, find_terraform, offline, used_resources


def main(arguments: list[str]) -> int:
    """Run the command in the arguments and return the exit status."""
    match arguments:
        case ["extract", wheel]:
            resources, data_sources = used_resources()
            SCHEMA.write_text(read_archive(Path(wheel), resources=resources, data_sources=data_sources).dump())
            return 0
        case ["terraform", *command] if command:
            return _terraform(command)
        case _:
            sys.stderr.write(f"{__doc__}")
            return 2


def _terraform(command: list[str]) -> int:
    program = find_terraform()
    if program is None:
        sys.stderr.write("terraform is not installed on this machine, or not on the PATH\n")
        return 1
    with TemporaryDirectory(prefix="seatlease-") as folder, offline(program, ProviderSchema.load()) as terraform:
        copy = copy_configuration(Path(folder))
        ran = terraform.run("init", "-backend=false", "-input=false", folder=copy)
        if ran.returncode == 0:
            ran = terraform.run(*command, folder=copy)
        sys.stdout.write(ran.stdout)
        sys.stderr.write(ran.stderr)
        return ran.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
