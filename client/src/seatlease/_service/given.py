"""Given: a text from a file, an environment or a form, without what came along unseen."""

_UNSEEN = "\ufeff\u200b"
"""The mark that some editors put at a file's beginning, and the blank of no width that comes from web pages."""


def stripped(text: str) -> str:
    """Take blanks, line breaks and marks away from both ends. Secrets that were made with ``echo`` end with one."""
    while (less := text.strip().strip(_UNSEEN)) != text:
        text = less
    return text
