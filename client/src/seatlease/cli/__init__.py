"""The command line ``seatlease``: runs any program with a seat, and shows who holds seats."""

import sys

_NEEDED = frozenset({"click", "psutil", "rich", "typer"})
_EXIT_USAGE = 2


def main() -> None:
    """Run the command line, or say that the libraries of the extra ``cli`` are missing."""
    try:
        from seatlease.cli.app import app  # noqa: PLC0415 its libraries are an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        sys.stderr.write("seatlease: the command line needs more libraries: install the package as seatlease[cli]\n")
        sys.exit(_EXIT_USAGE)
    app(prog_name="seatlease")
