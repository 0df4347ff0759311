"""The errors that functions logged. An unavailable store or topic does not count."""

import json
from collections import Counter
from pathlib import Path

_SERIOUS = {"ERROR", "CRITICAL"}
_OF_OTHERS = ("StoreUnavailable", "TopicUnavailable", "Contended", "RetryError")
"""What an event function raises so that its event comes again, and a scheduled one goes on without."""


def faults_logged(folder: Path) -> Counter[str]:
    """Count the errors in the functions' logs by their words, and the traces that are in no form."""
    found = Counter[str]()
    for log in sorted(folder.glob("*-*.log")):
        for line in log.read_text(errors="replace").splitlines():
            if (words := _fault_of(line)) is not None:
                found[f"{log.name.partition('-')[0]}: {words}"] += 1
    return found


def _fault_of(line: str) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return line if line.startswith("Traceback") else None
    if not isinstance(entry, dict) or entry.get("severity") not in _SERIOUS:
        return None
    if entry.get("status") == 503:
        return None
    # The last line of a trace is what it came to; some servers log a trace as the message.
    message, trace = (str(entry.get(name, "")).strip() for name in ("message", "exc_info"))
    came_to = (trace or message).rpartition("\n")[2]
    if any(f".{each}: " in came_to for each in _OF_OTHERS):
        return None
    return f"{message.partition(chr(10))[0]} {came_to if came_to != message else ''} {entry.get('code', '')}".strip()
