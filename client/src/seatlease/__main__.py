"""``python -m seatlease``: the command line."""

from seatlease.cli import main

main()
