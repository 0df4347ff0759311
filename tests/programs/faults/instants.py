"""The database's times, from any of the forms that Google's client returns."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def instant(at: datetime | Timestamp) -> datetime:
    """Give a plain time, to the microsecond."""
    return datetime.combine(at.date(), at.timetz()) if isinstance(at, datetime) else at.ToDatetime(tzinfo=UTC)
