"""Replaces the generated part of a page: the text between two marks."""

import re


class MarksMissingError(Exception):
    """The page has no pair of marks of this name, or more than one. The message names the marks."""


def replaced(page: str, name: str, text: str) -> str:
    """Replace the text between the marks of this name.

    Raises:
        MarksMissingError: the page does not have the marks exactly once.
    """
    begin, end = f"<!-- {name}: generated -->\n", f"<!-- end of {name} -->"
    between = re.compile(f"(?<={re.escape(begin)}).*?(?={re.escape(end)})", re.DOTALL)
    after, places = between.subn(lambda _: f"\n{text}\n\n", page)
    if places != 1:
        message = f"add these marks to the page, exactly once: {begin}{end}"
        raise MarksMissingError(message)
    return after
