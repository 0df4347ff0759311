"""``python -m infra.judge``: the judge's command line."""

from infra.judge.cli import app

if __name__ == "__main__":
    app()
