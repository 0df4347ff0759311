"""``python -m tests.bench``: the benchmark's command line."""

from tests.bench.cli import app

if __name__ == "__main__":
    app()
