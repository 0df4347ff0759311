"""The database's times, in whichever of its forms Google's client gives them."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def instant(at: datetime | Timestamp) -> datetime:
    """Give a plain time, to the microsecond."""
    return datetime.combine(at.date(), at.timetz()) if isinstance(at, datetime) else at.ToDatetime(tzinfo=UTC)
