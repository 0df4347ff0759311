"""The admins: they write the organizations and make every edit, and each write is noted with the database's time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.api_core.exceptions import FailedPrecondition, NotFound
from google.cloud import firestore

from infra.judge.history import AdminEdit
from tests.programs.faults.asking import license_key
from tests.programs.faults.faults import Fault, Kind
from tests.programs.faults.instants import instant
from tests.programs.faults.notes import Notes
from tests.programs.faults.plan import BORROWED_SECONDS, GROUPS, OWNER, RESERVATIONS, Plan, PlannedOrganization
from tests.programs.faults.schedule import OF_TERMS

_PATIENCE_SECONDS = 30
"""Longer than any pause of the store: an edit's own answer is never lost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    """Fields that an admin writes, and what undoes it."""

    fields: Mapping[str, Any]
    back: Mapping[str, Any]


_INACTIVE = _Change(fields={"is_active": False}, back={"is_active": True})
_NOT_STARTED = _Change(fields={"starts_at": datetime(2199, 1, 1, tzinfo=UTC)}, back={"starts_at": None})
_FOR_ONE_GROUP = _Change(fields={"allowed_groups": ["design"]}, back={"allowed_groups": None})

Snapshot = firestore.DocumentSnapshot[firestore.DocumentReference]


@dataclass(eq=False, kw_only=True, slots=True)
class Hands:
    """Admins at the console. ``rest`` is held while the store is away: then nobody edits."""

    console: firestore.Client
    plan: Plan
    notes: Notes
    rest: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def write_organizations(self) -> None:
        """Write every organization of the plan, whole."""
        for planned in self.plan.organizations:
            await asyncio.to_thread(self._write_organization, planned)

    async def do(self, fault: Fault) -> None:
        """Make one edit, and where it is for a while only, the one that undoes it."""
        planned = next(each for each in self.plan.organizations if each.organization_id == fault.target)
        amount = fault.amount or 0
        license_id = planned.licenses[amount % len(planned.licenses)].license_id
        match fault.kind:
            case Kind.ORGANIZATION_CAP_EDITED:
                await self._edit(fault.target, "organizations", fault.target, {"max_concurrent_seats": fault.amount})
            case Kind.LICENSE_CAP_EDITED:
                await self._edit(fault.target, "licenses", license_id, {"max_concurrent_seats": amount})
            case kind if kind in OF_TERMS:
                await self._edit_terms(fault, planned)
            case Kind.ORGANIZATION_DEACTIVATED:
                await self._for_a_while(fault, "organizations", fault.target, _INACTIVE)
            case Kind.LICENSE_DEACTIVATED:
                await self._for_a_while(fault, "licenses", license_id, _INACTIVE)
            case Kind.USER_DEACTIVATED:
                await self._for_a_while(fault, "users", planned.user_ids[amount % len(planned.user_ids)], _INACTIVE)
            case Kind.SESSION_DELETED | Kind.SESSION_ENDED:
                async with self.rest:
                    await asyncio.to_thread(self._end_some_session, fault, amount)
            case _:
                message = f"not an admin's edit: {fault.kind}"
                raise ValueError(message)

    async def _edit_terms(self, fault: Fault, planned: PlannedOrganization) -> None:
        """Edit the license with terms, or the groups of a user."""
        amount, license_id = fault.amount or 0, planned.licenses[0].license_id
        match fault.kind:
            case Kind.GROUPS_EDITED:
                user_id = planned.user_ids[int(fault.at * 10) % len(planned.user_ids)]
                await self._edit(fault.target, "users", user_id, {"groups": [*GROUPS[amount % len(GROUPS)]]})
            case Kind.GRANTS_STOPPED:
                stop = _FOR_ONE_GROUP if amount % 2 else _NOT_STARTED
                await self._for_a_while(fault, "licenses", license_id, stop)
            case Kind.RESERVATIONS_EDITED:
                fields = {"reservations": RESERVATIONS[amount % len(RESERVATIONS)]}
                await self._edit(fault.target, "licenses", license_id, fields)
            case Kind.OVERDRAFT_EDITED:
                await self._edit(fault.target, "licenses", license_id, {"overdraft_seats": amount % 3})
            case Kind.BORROWING_EDITED:
                longest = BORROWED_SECONDS[amount % 2] if amount else 0
                lent = {"max_borrow_seconds": longest, "max_borrowed_seats": amount % 3 or None}
                await self._edit(fault.target, "licenses", license_id, lent)
            case Kind.DEVICE_LIMIT_EDITED:
                await self._edit(fault.target, "licenses", license_id, {"max_devices_per_user": amount % 3 or None})

    async def _for_a_while(self, fault: Fault, collection: str, document_id: str, change: _Change) -> None:
        await self._edit(fault.target, collection, document_id, change.fields)
        await asyncio.sleep(fault.lasts)
        await self._edit(fault.target, collection, document_id, change.back)

    async def _edit(self, organization_id: str, collection: str, document_id: str, fields: Mapping[str, Any]) -> None:
        async with self.rest:
            await asyncio.to_thread(self._update, organization_id, collection, document_id, fields)

    def _update(self, organization_id: str, collection: str, document_id: str, fields: Mapping[str, Any]) -> None:
        reference = self._reference(organization_id, collection, document_id)
        written = reference.update(dict(fields), retry=None, timeout=_PATIENCE_SECONDS)
        self._note(organization_id, collection, document_id, written.update_time, fields)

    def _end_some_session(self, fault: Fault, amount: int) -> None:
        """Delete or end one that is open, unless somebody else is faster."""
        open_now = self._open_sessions(fault.target)
        if not open_now:
            return
        session = open_now[amount % len(open_now)]
        unchanged = self.console.write_option(last_update_time=session.update_time)
        fields: dict[str, Any] | None = None
        try:
            if fault.kind is Kind.SESSION_DELETED:
                at = session.reference.delete(option=unchanged, retry=None, timeout=_PATIENCE_SECONDS)
            else:
                fields = {"ended_at": datetime.now(UTC)}
                written = session.reference.update(fields, option=unchanged, retry=None, timeout=_PATIENCE_SECONDS)
                at = written.update_time
        except (FailedPrecondition, NotFound):
            return
        self._note(fault.target, "sessions", session.id, at, fields)

    def _open_sessions(self, organization_id: str) -> list[Snapshot]:
        sessions = self.console.collection(f"organizations/{organization_id}/sessions").stream(
            timeout=_PATIENCE_SECONDS
        )
        return sorted((each for each in sessions if each.get("ended_at") is None), key=lambda each: str(each.id))

    def _write_organization(self, planned: PlannedOrganization) -> None:
        now = datetime.now(UTC)
        dates = {"created_at": now, "updated_at": now}
        own = planned.organization_id
        self._create(own, "organizations", own, {"name": own, "max_concurrent_seats": planned.seats, "is_active": True})
        for user_id, groups in zip(planned.user_ids, planned.groups, strict=True):
            user = {"email": f"{user_id}@example.com", "role": "member", "is_active": True, "created_at": now}
            self._create(own, "users", user_id, {**user, "groups": [*groups]})
        owner = {"email": "owner@example.com", "role": "owner", "is_active": True, "created_at": now}
        self._create(own, "users", OWNER, owner)
        for license_ in planned.licenses:
            fields = {
                "license_key": license_key(own, license_.license_id),
                "name": license_.license_id,
                "max_concurrent_seats": license_.seats,
                "lease_seconds": license_.lease_seconds,
                "max_instances_per_seat": license_.max_instances,
                "max_borrow_seconds": license_.max_borrow_seconds,
                "max_borrowed_seats": license_.max_borrowed_seats,
                "is_active": True,
                # So near that ``reconcile`` reports it.
                "expires_at": now + timedelta(hours=12) if license_.terms else None,
                **license_.terms,
                **dates,
            }
            self._create(own, "licenses", license_.license_id, fields)

    def _create(self, organization_id: str, collection: str, document_id: str, fields: Mapping[str, Any]) -> None:
        reference = self._reference(organization_id, collection, document_id)
        written = reference.create(dict(fields), timeout=_PATIENCE_SECONDS)
        self._note(organization_id, collection, document_id, written.update_time, fields)

    def _reference(self, organization_id: str, collection: str, document_id: str) -> firestore.DocumentReference:
        organization: firestore.DocumentReference = self.console.document("organizations", organization_id)
        return (
            organization if collection == "organizations" else organization.collection(collection).document(document_id)
        )

    def _note(
        self,
        organization_id: str,
        collection: str,
        document_id: str,
        at: Any,  # noqa: ANN401 a time of Google's client, which its types do not tell
        fields: Mapping[str, Any] | None,
    ) -> None:
        edit = AdminEdit(
            collection=collection,
            document_id=document_id,
            at=instant(at),
            fields=None if fields is None else dict(fields),
        )
        self.notes.edits[organization_id].append(edit)
