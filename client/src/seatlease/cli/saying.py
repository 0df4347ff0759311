"""Saying: messages go to standard error. Standard output belongs to programs and answers."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from seatlease.cli import exit_status
from seatlease.cli.durations import in_words
from seatlease.errors import NoSeatFree, SeatleaseError

errors = Console(stderr=True, highlight=False)
PREFIX = "seatlease: "


class Misconfigured(Exception):  # noqa: N818 it is the caller's slip, told as a sentence
    """Something that the environment or this machine gives cannot be used."""


def say(text: str) -> None:
    """Write one line. Markup in it is shown as text."""
    errors.print(PREFIX + text, markup=False, soft_wrap=True)


def sentence_of(error: SeatleaseError) -> str:
    """Put an error in one line: its message, its code, and its request id."""
    known = [error.code, None if error.request_id is None else f"request {error.request_id}"]
    told = ", ".join(part for part in known if part)
    return f"{error.message} ({told})" if told else error.message


@contextmanager
def explained() -> Iterator[None]:
    """On an error, exit with a sentence and a status instead of a traceback."""
    _library_says_it_likewise()
    try:
        yield
    except SeatleaseError as error:
        say(sentence_of(error))
        if isinstance(error, NoSeatFree):
            say(f"try again in {in_words(error.retry_after)}, or wait with --wait (at least that long)")
        raise typer.Exit(exit_status.of_error(error)) from None
    except Misconfigured as error:
        say(str(error))
        raise typer.Exit(exit_status.MISCONFIGURED) from None


def _library_says_it_likewise() -> None:
    logger = logging.getLogger("seatlease")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(PREFIX + "%(message)s"))
        logger.addHandler(handler)
