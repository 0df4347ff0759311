"""What an operator does with the data of a deployed project. ``python -m infra.admin --help``."""
