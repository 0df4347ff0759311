"""``python -m tests.programs.bench``: the benchmark's command line."""

from tests.programs.bench.cli import app

if __name__ == "__main__":
    app()
