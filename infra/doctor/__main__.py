"""``python -m infra.doctor``: the doctor's command line."""

from infra.doctor.cli import app

if __name__ == "__main__":
    app()
