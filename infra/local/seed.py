"""A sample organization, written as an admin writes one in the Firebase console."""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

_Fields = dict[str, str | int | bool | datetime | None]

_EMULATOR = "FIRESTORE_EMULATOR_HOST"


def firestore_client(*, project: str, firestore_host: str) -> firestore.Client:
    """Connect to the emulator with Google's client, which bypasses the functions, as the console does."""
    before = os.environ.get(_EMULATOR)
    os.environ[_EMULATOR] = firestore_host
    try:
        # The client takes the emulator's address only from the environment, and reads it once, here.
        return firestore.Client(project=project, credentials=AnonymousCredentials())
    finally:
        if before is None:
            del os.environ[_EMULATOR]
        else:
            os.environ[_EMULATOR] = before


def seed_organization(
    database: firestore.Client,
    *,
    organization_id: str,
    name: str,
    license_key: str,
    seats: int,
    people: Sequence[tuple[str, str]],
    organization_seats: int | None = None,
) -> None:
    """Write an organization with its users and one license, ``license-1``. ``people`` has user ids and roles."""
    batch = database.batch()
    for path, fields in organization_documents(
        organization_id=organization_id,
        name=name,
        license_key=license_key,
        seats=seats,
        people=people,
        organization_seats=organization_seats,
    ):
        batch.set(database.document(path), fields)
    batch.commit()


def organization_documents(
    *,
    organization_id: str,
    name: str,
    license_key: str,
    seats: int,
    people: Sequence[tuple[str, str]],
    organization_seats: int | None = None,
) -> Iterator[tuple[str, _Fields]]:
    """Make the path and the fields of each document that ``seed_organization`` writes."""
    now = datetime.now(UTC)
    organization = f"organizations/{organization_id}"
    yield (
        organization,
        {
            "name": name,
            "slug": organization_id,
            "subscription_tier": "free",
            "max_concurrent_seats": organization_seats,
            "is_active": True,
            "created_at": now,
            "updated_at": now,
        },
    )
    for user_id, role in people:
        user: _Fields = {"email": f"{user_id}@example.com", "role": role, "is_active": True, "created_at": now}
        yield f"{organization}/users/{user_id}", user
    yield (
        f"{organization}/licenses/license-1",
        {
            "license_key": license_key,
            "name": "Design Studio",
            "max_concurrent_seats": seats,
            "expires_at": None,
            "is_active": True,
            "created_at": now,
            "updated_at": now,
            "created_by": people[0][0],
        },
    )
