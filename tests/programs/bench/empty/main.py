"""A function that does nothing, to measure functions-framework itself on its default, threaded server."""

import functions_framework
from flask import Request


@functions_framework.http
def empty(_request: Request) -> tuple[str, int]:
    """Answer 204."""
    return "", 204
