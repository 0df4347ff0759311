"""``python -m infra.build.preflight``: the command line of the preflight."""

from infra.build.preflight.cli import app

if __name__ == "__main__":
    app()
