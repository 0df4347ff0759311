"""``python -m infra.proof``: the judge's command line."""

from infra.proof.cli import app

if __name__ == "__main__":
    app()
