"""Expire: end a session whose lease has run out although nobody asked for its seat."""

from datetime import datetime

from shared.rules.session import EndReason, Session, ended, is_live, is_open


def expire(session: Session, *, now: datetime) -> Session | None:
    """End the session if it is lapsed at ``now``; ``None`` when there is nothing to end."""
    if not is_open(session) or is_live(session, now=now):
        return None
    return ended(session, reason=EndReason.EXPIRED, now=now)
