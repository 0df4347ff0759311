"""The command line ``seatlease``: seats for programs in any language, and a look at who holds them."""

import sys

_NEEDED = frozenset({"click", "psutil", "rich", "typer"})
_EXIT_USAGE = 2


def main() -> None:
    """Run the command line. Where the extra that brings its libraries is missing, say so."""
    try:
        from seatlease.cli.app import app  # noqa: PLC0415 its libraries are an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        sys.stderr.write(
            "seatlease: the command line needs some more libraries: install it with its extra, seatlease[cli]\n"
        )
        sys.exit(_EXIT_USAGE)
    app(prog_name="seatlease")
