"""``python -m infra.local``: the local stack's command line."""

from infra.local.cli import app

if __name__ == "__main__":
    app()
