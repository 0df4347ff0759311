"""Structured logs for Cloud Logging, one JSON object per line.

A record carries its severity, the id of its request, and the request's trace. License keys, tokens and e-mail addresses
are never logged.
"""

import logging
import sys
from contextvars import ContextVar
from dataclasses import dataclass

from pythonjsonlogger.json import JsonFormatter


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestContext:
    """Connects log lines to a request. ``trace`` is the platform's trace, in the form of Cloud Logging."""

    request_id: str
    function: str
    trace: str | None = None
    span_id: str | None = None


current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)


class _CloudLoggingFormatter(JsonFormatter):
    """Names the fields as Cloud Logging expects them in JSON payloads of standard output.

    Source: Cloud Logging's page on structured logging, "Special JSON fields".
    """

    def add_fields(
        self, log_data: dict[str, object], record: logging.LogRecord, message_dict: dict[str, object]
    ) -> None:
        super().add_fields(log_data, record, message_dict)
        log_data["severity"] = record.levelname
        log_data["logger"] = record.name
        request = current_request.get()
        if request is not None:
            log_data["request_id"] = request.request_id
            log_data["function"] = request.function
            if request.trace is not None:
                log_data["logging.googleapis.com/trace"] = request.trace
            if request.span_id is not None:
                log_data["logging.googleapis.com/spanId"] = request.span_id


def configure_logging(level: str) -> None:
    """Send the records of every logger to standard output as JSON. It is safe to call again."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_CloudLoggingFormatter("%(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("shared").setLevel(level)
