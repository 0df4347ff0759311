"""Terraform without its provider.

``python -m infra.terraform.offline terraform validate`` (or ``test`` ...) runs terraform in a copy of ``infra/``, with
the schema in ``google-schema.json`` in place of the provider.

``python -m infra.terraform.offline extract WHEEL`` makes that file anew, for the resources that the .tf files use, from
the package that ``pip download --no-deps cdktn-provider-google==21.1.0`` brings.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.terraform.offline.archive import read_archive
from infra.terraform.offline.schema import SCHEMA, ProviderSchema
from infra.terraform.offline.terraform import copy_configuration, find_terraform, offline, used_resources


def main(arguments: list[str]) -> int:
    """Do what the arguments say, and give an exit status."""
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
        sys.stderr.write("there is no terraform on this machine\n")
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
