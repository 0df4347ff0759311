"""Read the log of a test's server."""

import json
from pathlib import Path
from typing import Any


def lines_of(log: Path, request_id: str) -> list[dict[str, Any]]:
    """The lines that belong to a request or an event, oldest first."""
    parsed = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
    return [line for line in parsed if line.get("request_id") == request_id]
