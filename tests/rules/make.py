"""Records to start a test from; what matters to the test is said there, with an argument or ``replace``."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from shared.rules.acquire import Device
from shared.rules.admission import OPEN_FOR, Invitation
from shared.rules.license import License
from shared.rules.line import PlaceInLine
from shared.rules.organization import Organization
from shared.rules.refusal import Unusable
from shared.rules.session import Instance, Session, session_id_of
from shared.rules.user import Role, User

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LEASE = timedelta(minutes=6)
HOME = "192.0.2.7"
"""The address of every device."""
INSTANT = timedelta(microseconds=1)
"""The smallest step of time that Firestore and Python both know."""

UNUSABLE = Unusable(document="license", document_path="organizations/acme/licenses/cad", fields=("lease_seconds",))


def an_organization(*, seats: int | None = None) -> Organization:
    return Organization(organization_id="acme", name="Acme", max_concurrent_seats=seats, is_active=True)


def a_user(user_id: str = "ann", *, role: Role = Role.MEMBER, groups: Sequence[str] = ()) -> User:
    return User(user_id=user_id, email=f"{user_id}@acme.example", role=role, is_active=True, groups=tuple(groups))


def an_invitation(
    email: str = "ann@acme.example",
    *,
    role: Role = Role.MEMBER,
    groups: Sequence[str] = (),
    age: timedelta = timedelta(0),
) -> Invitation:
    return Invitation(
        email=email,
        role=role,
        groups=tuple(groups),
        invited_by="olivia",
        created_at=NOW - age,
        expires_at=NOW - age + OPEN_FOR,
    )


def a_license(
    license_id: str = "cad", *, seats: int = 5, lease_for: timedelta = LEASE, grace_for: timedelta = timedelta(0)
) -> License:
    return License(
        license_id=license_id,
        license_key=f"KEY-{license_id}",
        name=license_id.upper(),
        max_concurrent_seats=seats,
        expires_at=None,
        is_active=True,
        lease_for=lease_for,
        grace_for=grace_for,
    )


def a_device(hardware_id: str = "laptop", *, instance_id: str | None = None) -> Device:
    return Device(hardware_id=hardware_id, ip_address=HOME, user_agent="cad/4.2", instance_id=instance_id)


def an_instance(instance_id: str | None = None, *, ip_address: str | None = HOME, heard_at: datetime = NOW) -> Instance:
    return Instance(instance_id=instance_id, ip_address=ip_address, last_heard_at=heard_at)


def a_place(
    user_id: str = "ann",
    *,
    license_id: str = "cad",
    hardware_id: str = "laptop",
    since: datetime = NOW,
    groups: tuple[str, ...] = (),
) -> PlaceInLine:
    """Make a place as the first of a line has it at ``since``."""
    return PlaceInLine(
        session_id=session_id_of(license_id=license_id, user_id=user_id, hardware_id=hardware_id),
        license_id=license_id,
        user_id=user_id,
        hardware_id=hardware_id,
        groups=groups,
        since=since,
        asked_at=since,
        wait_until=since + timedelta(hours=1),
        counts_until=since + timedelta(seconds=12.5),
    )


def a_session(
    user_id: str = "ann",
    *,
    license_id: str = "cad",
    hardware_id: str = "laptop",
    started_at: datetime = NOW,
    instance_id: str | None = None,
) -> Session:
    """Make a session as acquire leaves it at ``started_at``: live until a lease later."""
    return Session(
        session_id=session_id_of(license_id=license_id, user_id=user_id, hardware_id=hardware_id),
        license_id=license_id,
        user_id=user_id,
        user_email=f"{user_id}@acme.example",
        hardware_id=hardware_id,
        ip_address=HOME,
        user_agent="cad/4.2",
        started_at=started_at,
        last_heartbeat_at=started_at,
        lease_expires_at=started_at + LEASE,
        instances=(an_instance(instance_id, heard_at=started_at),),
    )
