"""The terms of a license, and the groups of a user, under which a seat was given or refused."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from infra.judge.history import Event, History
from infra.judge.versions import Version, Versions
from shared.documents.forms import LicenseDocument, UserDocument
from shared.rules.audit import AuditType
from shared.rules.license import License

Groups = tuple[str, ...]

_NO_TIME = timedelta(0)


def time_of(event: Event) -> tuple[datetime, datetime]:
    """When the decision that an event reports was read, and when it was committed at the latest."""
    last = event.details.get("last_attempt_at")
    read_at = last if isinstance(last, datetime) else event.at
    return read_at, max(read_at, event.committed_at or read_at)


class Terms:
    """The possible terms of each decision. There are several if an admin edited them meanwhile."""

    def __init__(self, history: History) -> None:
        self._versions = Versions(history)
        self._read: dict[int, License | None] = {}
        self._overdrawn = {
            event.license_id
            for event in history.events
            if event.type == AuditType.ACQUIRED and event.details.get("is_overdraft")
        }

    def licenses(self, event: Event, *, earlier: timedelta = _NO_TIME) -> Sequence[License]:
        """The possible terms of the event's license; none if they are not known.

        An event that names a cap was decided under terms with this cap. ``earlier`` is how long before the event the
        license may have been read.
        """
        read_at, until = time_of(event)
        name = ("licenses", event.license_id or "")
        used = self._versions.used(name, read_at=read_at, until=until, earlier=earlier)
        if not all(each.is_whole for each in used):
            return ()
        parsed = (self._license(event.license_id or "", each) for each in used)
        cap = _cap_of(event)
        return [each for each in parsed if each is not None and cap in {None, each.max_concurrent_seats}]

    def groups(self, event: Event, *, since: datetime | None = None, user_id: str | None = None) -> Sequence[Groups]:
        """The possible groups of the event's user, or of another one; none if they are not known.

        They may have been read at any time ``since`` then.
        """
        read_at, until = time_of(event)
        name = ("users", user_id or event.user_id or "")
        used = self._versions.used(name, read_at=since or read_at, until=until)
        found = [_groups(each.value("groups")) for each in used]
        return () if None in found else [each for each in found if each is not None]

    def are_without_organization_cap(self, organization_id: str, *, at: datetime) -> bool:
        """Whether the organization certainly had no cap of its own at that time."""
        used = self._versions.used(("organizations", organization_id), read_at=at, until=at)
        return bool(used) and all(each.value("max_concurrent_seats") is None for each in used)

    def overdraft(self, grant: Event) -> int | None:
        """How many seats above its cap the license had; ``None`` if that is not known."""
        if licenses := self.licenses(grant):
            return max(each.overdraft_seats for each in licenses)
        return None if grant.license_id in self._overdrawn else 0

    def is_certain(self, grant: Event) -> bool:
        """Whether no edit that was not noted can explain a grant above the cap."""
        return self._versions.are_noted or grant.license_id not in self._overdrawn

    def _license(self, license_id: str, version: Version) -> License | None:
        if id(version) not in self._read:
            self._read[id(version)] = _parsed(license_id, version)
        return self._read[id(version)]


def _parsed(license_id: str, version: Version) -> License | None:
    """The terms of a license; ``None`` if an admin's slip made them unusable, so that they gave no seat."""
    # A removed field is noted as null. The key and the lease give or refuse no seat, and an event hides the key.
    fields = {name: value for name, value in version.fields.items() if value is not None}
    try:
        parsed = LicenseDocument.model_validate({**fields, "license_key": "hidden"})
    except ValidationError:
        return None
    return License(
        license_id=license_id,
        license_key=parsed.license_key,
        name=parsed.name,
        max_concurrent_seats=parsed.max_concurrent_seats,
        expires_at=parsed.expires_at,
        is_active=parsed.is_active,
        lease_for=_NO_TIME,
        grace_for=_NO_TIME,
        starts_at=parsed.starts_at,
        allowed_groups=None if parsed.allowed_groups is None else frozenset(parsed.allowed_groups),
        reservations=parsed.reservations,
        max_devices_per_user=parsed.max_devices_per_user,
        overdraft_seats=parsed.overdraft_seats,
        borrow_for=timedelta(seconds=parsed.max_borrow_seconds),
        max_borrowed_seats=parsed.max_borrowed_seats,
    )


def _groups(value: Any) -> Groups | None:  # noqa: ANN401 any value that an admin may have written
    """The groups of a user; ``None`` if they are not known, or an admin's slip made the user unusable."""
    try:
        return tuple(UserDocument.model_validate({"groups": value or []}).groups)
    except ValidationError:
        return None


def _cap_of(event: Event) -> int | None:
    seats = event.details.get("seats")
    cap = seats.get("max") if isinstance(seats, dict) else None
    return cap if isinstance(cap, int) else None
