"""The organizations that the clients belong to, and the requests of their devices, encoded once."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta

from google.cloud import firestore

from infra.local.seed import seed_organization
from infra.local.tokens import unsigned_token
from shared.admin.review import Reviews
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.writing import Retention
from shared.firestore.client import Firestore
from tests.programs.bench.servers import PROJECT

LICENSE_ID = "license-1"

POLICY = Policy(
    default_lease_for=timedelta(minutes=6),
    default_grace_for=timedelta(0),
    answer_within=timedelta(seconds=8),
    retention=Retention(sessions_for=timedelta(days=30), audit_events_for=timedelta(days=400)),
)

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A user on a device: the headers with the user's token, and the body with which it asks for a seat."""

    user_id: str
    hardware_id: str
    headers: Mapping[str, str]
    acquire: bytes

    def locking(self, organization_id: str, op: str) -> bytes:
        """The body with which it asks the locking function."""
        asked = {
            "op": op,
            "organization_id": organization_id,
            "user_id": self.user_id,
            "license_id": LICENSE_ID,
            "hardware_id": self.hardware_id,
        }
        return json.dumps(asked).encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """An organization without a cap of its own, with one license."""

    organization_id: str
    license: firestore.DocumentReference
    devices: tuple[Device, ...]


def make_tenant(
    database: firestore.Client, organization_id: str, *, users: int, devices_each: int = 1, seats: int | None = None
) -> Tenant:
    """Write an organization as its admin would, and make a token for each user. It has a seat for each device, or
    ``seats``.
    """
    key = f"BENCH-{organization_id}"
    user_ids = [f"user-{number}" for number in range(users)]
    seed_organization(
        database,
        organization_id=organization_id,
        name=organization_id,
        license_key=key,
        seats=users * devices_each if seats is None else seats,
        people=[(user_id, "member") for user_id in user_ids],
    )
    devices = []
    for user_id in user_ids:
        token = unsigned_token(project=PROJECT, organization_id=organization_id, user_id=user_id)
        headers = {"Authorization": f"Bearer {token}", **_JSON}
        for number in range(devices_each):
            hardware_id = f"device-{number}"
            body = _acquire(key, hardware_id)
            devices.append(Device(user_id=user_id, hardware_id=hardware_id, headers=headers, acquire=body))
    license_ = database.document(f"organizations/{organization_id}/licenses/{LICENSE_ID}")
    return Tenant(organization_id=organization_id, license=license_, devices=tuple(devices))


async def review(firestore_host: str, tenants: Sequence[Tenant]) -> None:
    """Do what ``review_admin_edit`` does when an admin has made these organizations."""
    with closing(Firestore(project=PROJECT, emulator_host=firestore_host)) as store:
        for tenant in tenants:
            await Reviews(store, POLICY).review(OrganizationPaths(tenant.organization_id).organization)


def another_license(tenant: Tenant, license_id: str, *, seats: int) -> Tenant:
    """Write one more license of the organization, and look at the same devices, which ask for its seats."""
    key = f"BENCH-{tenant.organization_id}-{license_id}"
    license_ = tenant.license.parent.document(license_id)
    license_.set({**(tenant.license.get().to_dict() or {}), "license_key": key, "max_concurrent_seats": seats})
    devices = tuple(replace(device, acquire=_acquire(key, device.hardware_id)) for device in tenant.devices)
    return replace(tenant, license=license_, devices=devices)


def _acquire(key: str, hardware_id: str) -> bytes:
    return json.dumps({"license_key": key, "hardware_id": hardware_id}).encode()


def body_of_session(session_id: str) -> bytes:
    """The body of a heartbeat and of a release."""
    return json.dumps({"session_id": session_id}).encode()
