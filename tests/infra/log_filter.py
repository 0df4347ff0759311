"""As much of Cloud Logging's query language as our metrics use: comparisons of fields, joined by AND.

Source: Cloud Logging's page on its query language. A field that an entry lacks makes a comparison false.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SEVERITIES = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_COMPARISON = re.compile(r"([\w.]+)(>=|=~|=|>)(\((?:[^()]*)\)|\"[^\"]*\"|[\w.-]+)")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda found, wanted: bool(found == wanted),
    ">": lambda found, wanted: bool(found > wanted),
    ">=": lambda found, wanted: bool(found >= wanted),
    "=~": lambda found, wanted: re.search(wanted, found) is not None,
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A field, how it is compared, and with what: one of these."""

    field: str
    operator: str
    values: tuple[Any, ...]

    def holds_of(self, entry: Mapping[str, Any]) -> bool:
        found = field_of(entry, self.field)
        if found is None:
            return False
        if self.field == "severity":
            return _COMPARE[self.operator](SEVERITIES.index(found), SEVERITIES.index(self.values[0]))
        return any(_COMPARE[self.operator](found, value) for value in self.values)


def parsed(text: str) -> list[Comparison]:
    """Read a filter. What is not understood fails: it would not be tested."""
    found = list(_COMPARISON.finditer(text))
    assert re.sub(r"\s+", " ", _COMPARISON.sub("?", text)) == " AND ".join("?" * len(found)), text
    return [
        Comparison(field=match[1], operator=match[2], values=tuple(_values(match[3].strip("()")))) for match in found
    ]


def matches(text: str, entry: Mapping[str, Any]) -> bool:
    """Whether the filter takes the entry."""
    return all(comparison.holds_of(entry) for comparison in parsed(text))


def field_of(entry: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 an entry holds anything
    """The value at a path within the entry, or None."""
    value: Any = entry
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def entry_of(line: Mapping[str, Any], *, service: str) -> dict[str, Any]:
    """What Cloud Logging makes of a JSON line of a service: it takes the special fields out of the payload."""
    payload = {name: value for name, value in line.items() if name != "severity" and not name.startswith("logging.")}
    resource = {"type": "cloud_run_revision", "labels": {"service_name": service}}
    return {"resource": resource, "severity": line["severity"], "jsonPayload": payload}


def _values(text: str) -> Iterator[Any]:
    for each in re.split(r"\s+OR\s+", text):
        if each in {"true", "false"}:
            yield each == "true"
        else:
            yield each.strip('"') if each.startswith('"') or not each.isdecimal() else int(each)
