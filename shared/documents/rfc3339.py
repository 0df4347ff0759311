"""Times as text, for answers and messages: RFC 3339 in UTC, to the microsecond."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from pydantic import AwareDatetime, PlainSerializer, WithJsonSchema


@lru_cache(maxsize=1_000)  # the requests of a group are decided at the same time
def rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Time = Annotated[
    AwareDatetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A time in a pydantic model that is sent as JSON."""
