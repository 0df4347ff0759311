"""``python -m infra.admin``: the operator's command line."""

from infra.admin.cli import app

if __name__ == "__main__":
    app()
