"""Parts of pages that programs write: between two marks, and nothing outside of them."""

import re


class MarksMissingError(Exception):
    """The page has no place for what is generated, or more than one. The message says which marks it needs."""


def replaced(page: str, name: str, text: str) -> str:
    """Put a text between the marks of this name in place of what stands there.

    Raises:
        MarksMissingError: the marks are not there, or not just once.
    """
    begin, end = f"<!-- {name}: generated -->\n", f"<!-- end of {name} -->"
    between = re.compile(f"(?<={re.escape(begin)}).*?(?={re.escape(end)})", re.DOTALL)
    after, places = between.subn(lambda _: f"\n{text}\n\n", page)
    if places != 1:
        message = f"the page needs these marks, once: {begin}{end}"
        raise MarksMissingError(message)
    return after
