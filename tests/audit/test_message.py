"""Audit messages: whatever is stored is published in a form that subscribers can rely on, or named and kept back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audit.message import AUDIT_MESSAGE, AuditMessage, message_from
from shared.documents.paths import OrganizationPaths
from shared.documents.writing import Retention, audit_event_fields
from shared.firestore.client import Document
from shared.firestore.values import Opaque
from shared.rules.audit import SYSTEM, AuditEvent, Detail, acquired, ended, expiring, usage_repaired
from shared.rules.denial import Denied, Limit, denied
from shared.rules.refusal import Unusable
from shared.rules.seat_use import SeatUse
from shared.rules.session import EndReason
from shared.rules.session import ended as end
from tests.rules.make import NOW, a_device, a_license, a_session, a_user

ACME = OrganizationPaths("acme")
RETENTION = Retention(sessions_for=timedelta(days=30), audit_events_for=timedelta(days=400))
USE: dict[str, Detail] = {"seats": {"in_use": 5, "max": 5}, "organization_seats": {"in_use": 9, "max": None}}


def stored(event: AuditEvent, **changes: Any) -> Document:  # noqa: ANN401 a document holds anything
    """An audit event as its commit leaves it, but for what somebody changed by hand."""
    fields = {**audit_event_fields(event, ACME, RETENTION), **changes}
    return Document(path=ACME.audit_event(event.name), fields=fields, update_time=None)


def a_grant() -> AuditEvent:
    return acquired(a_session(), grant_number=41, details=USE)


def an_end(reason: EndReason = EndReason.RELEASED) -> AuditEvent:
    return ended(end(a_session(), reason=reason, now=NOW + timedelta(minutes=2)), actor="adam")


def a_denial(limit: Limit = Limit.LICENSE) -> AuditEvent:
    attempt = Denied(session_id=a_session().session_id, license_id="cad", user=a_user(), device=a_device(), limit=limit)
    event = denied(attempt, use=USE, now=NOW)
    return replace(event, details={**event.details, "attempts": 1})  # which its write adds to


def a_repair(before: SeatUse | None = None) -> AuditEvent:
    return usage_repaired(at=NOW, before=before, after=SeatUse(by_license={"cad": 2}))


def an_expiry() -> AuditEvent:
    event = expiring(replace(a_license(), expires_at=NOW + timedelta(days=7)), days_before=7, now=NOW)
    assert event is not None
    return event


def sent(message: AuditMessage | Unusable) -> dict[str, Any]:
    """What a subscriber reads."""
    assert isinstance(message, get_args(AuditMessage))
    read = pydantic_core.from_json(message.model_dump_json())
    assert isinstance(read, dict)
    return read


EVERY_EVENT = [
    pytest.param(a_grant(), id="grant"),
    *(pytest.param(an_end(reason), id=reason) for reason in EndReason),
    *(pytest.param(a_denial(limit), id=f"denial {limit}") for limit in Limit),
    pytest.param(an_expiry(), id="license that ends soon"),
    pytest.param(a_repair(), id="repair of missing counters"),
    pytest.param(a_repair(SeatUse(by_license={"cad": 3})), id="repair"),
]


@pytest.mark.parametrize("event", EVERY_EVENT)
def test_every_event_that_is_written_can_be_published(event: AuditEvent) -> None:
    message = sent(message_from(stored(event)))

    assert message["type"] == event.type
    assert message["schema_version"] == 1
    assert (message["actor"], message["organization_id"]) == (event.actor, "acme")
    named = {name: message.get(name) for name in ("license_id", "session_id", "user_id", "hardware_id", "grant_number")}
    assert named == {name: getattr(event, name) for name in named}


@pytest.mark.parametrize("event", EVERY_EVENT)
def test_everything_that_is_told_of_an_event_is_published_and_what_is_left_out_as_null_or_false(
    event: AuditEvent,
) -> None:
    details = sent(message_from(stored(event)))["details"]

    assert event.details.keys() <= details.keys()
    assert {value for name, value in details.items() if name not in event.details} <= {None, False}
    assert {name: details[name] for name in event.details if not name.endswith("_at")} == {
        name: value for name, value in event.details.items() if not name.endswith("_at")
    }


def test_a_revocation_that_an_earlier_version_wrote_keeps_nobody_out() -> None:
    event = an_end(EndReason.REVOKED_BY_ADMIN)
    earlier = replace(event, details={k: v for k, v in event.details.items() if k != "kept_out_until"})

    message = sent(message_from(stored(earlier)))

    assert message["details"]["kept_out_until"] is None


@pytest.mark.parametrize("event", EVERY_EVENT)
def test_a_message_can_be_read_by_the_models_that_wrote_it(event: AuditEvent) -> None:
    message = message_from(stored(event))

    assert AUDIT_MESSAGE.validate_json(AUDIT_MESSAGE.dump_json(AUDIT_MESSAGE.validate_python(message))) == message


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 3, 2, 9, 14, 7, 250_000, tzinfo=UTC), "2026-03-02T09:14:07.250000Z"),
        (datetime(2026, 3, 2, 9, 0, tzinfo=UTC), "2026-03-02T09:00:00.000000Z"),
    ],
)
def test_a_time_is_told_in_utc_to_the_microsecond(at: datetime, text: str) -> None:
    message = sent(message_from(stored(a_grant(), at=at)))

    assert message["at"] == text


def test_the_times_of_a_tenure_are_told_in_the_same_form() -> None:
    message = sent(message_from(stored(an_end())))

    assert {name: message["details"][name] for name in ("started_at", "last_heartbeat_at", "lease_expires_at")} == {
        "started_at": "2026-03-02T09:00:00.000000Z",
        "last_heartbeat_at": "2026-03-02T09:00:00.000000Z",
        "lease_expires_at": "2026-03-02T09:06:00.000000Z",
    }


def test_whose_event_it_is_and_its_id_its_place_says_and_not_its_fields() -> None:
    document = stored(a_grant(), organization_id="somebody-else", event_id="another", schema_version=7)

    message = sent(message_from(document))

    assert (message["organization_id"], message["event_id"]) == ("acme", document.document_id)
    assert message["schema_version"] == 1


def test_what_is_stored_beside_the_event_is_not_published() -> None:
    document = stored(a_grant(), note="the admin's own", details={**a_grant().details, "secret": "x"})

    message = sent(message_from(document))

    assert not {"purge_at", "published_at", "note"} & message.keys()
    assert "secret" not in message["details"]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (a_grant(), {"pool": None, "is_overdraft": False}),
        (an_end(), {"pool": None}),
        (an_end(EndReason.REVOKED_BY_ADMIN), {"pool": None}),
    ],
    ids=["grant", "end", "revocation"],
)
def test_an_event_that_was_written_before_there_were_pools_is_published_as_of_a_common_seat(
    event: AuditEvent, told: dict[str, object]
) -> None:
    earlier = {name: value for name, value in event.details.items() if name not in told}

    message = sent(message_from(stored(event, details=earlier)))

    assert message["details"].items() >= told.items()


def test_a_repair_that_was_written_before_there_were_pools_is_published_without_any() -> None:
    earlier = {"before": None, "after": [{"license_id": "cad", "in_use": 2}]}

    message = sent(message_from(stored(a_repair(), details=earlier)))

    assert message["details"]["after"] == [{"license_id": "cad", "in_use": 2, "pools": []}]


def test_a_device_that_told_nothing_of_itself_is_published_as_such() -> None:
    session = replace(a_session(), ip_address=None, user_agent=None, user_email=None)

    message = sent(message_from(stored(acquired(session, grant_number=1, details=USE))))

    assert {message["details"][name] for name in ("ip_address", "user_agent", "user_email")} == {None}


UNREADABLE = [
    pytest.param(a_grant(), {"type": "session.lent"}, ("type",), id="unknown type"),
    pytest.param(a_grant(), {"type": None}, ("type",), id="no type"),
    pytest.param(a_grant(), {"type": Opaque("bytes_value")}, ("type",), id="bytes as type"),
    pytest.param(a_grant(), {"at": "yesterday"}, ("session.acquired.at",), id="time as text"),
    pytest.param(a_grant(), {"at": datetime(2026, 1, 1)}, ("session.acquired.at",), id="time without zone"),  # noqa: DTZ001
    pytest.param(a_grant(), {"grant_number": 0}, ("session.acquired.grant_number",), id="no grant"),
    pytest.param(a_grant(), {"grant_number": "1"}, ("session.acquired.grant_number",), id="number as text"),
    pytest.param(a_grant(), {"grant_number": 1.5}, ("session.acquired.grant_number",), id="half a grant"),
    pytest.param(a_grant(), {"user_id": None}, ("session.acquired.user_id",), id="nobody"),
    pytest.param(
        a_grant(), {"user_id": 7, "actor": 7}, ("session.acquired.actor", "session.acquired.user_id"), id="two fields"
    ),
    pytest.param(a_grant(), {"details": None}, ("session.acquired.details",), id="no details"),
    pytest.param(a_grant(), {"details": []}, ("session.acquired.details",), id="details as a list"),
    pytest.param(a_denial(), {"details": None}, ("session.denied.details",), id="denial without details"),
    pytest.param(a_denial(), {"details": []}, ("session.denied.details",), id="denial with a list"),
    pytest.param(a_denial(), {"at": None}, ("session.denied.at",), id="denial without a time"),
    pytest.param(
        a_denial(),
        {"details": {**a_denial().details, "limit": "budget"}},
        ("session.denied.details.limit",),
        id="unknown limit",
    ),
    pytest.param(
        a_denial(),
        {"details": {**a_denial().details, "attempts": 0}},
        ("session.denied.details.attempts",),
        id="no attempt",
    ),
    pytest.param(
        an_end(),
        {"details": {**an_end().details, "reason": "boredom"}},
        ("session.released.details.reason",),
        id="unknown reason",
    ),
    pytest.param(
        a_repair(),
        {"details": {"before": None, "after": {"cad": 2}}},
        ("usage.repaired.details.after",),
        id="counters as a map",
    ),
]


@pytest.mark.parametrize(("event", "changes", "fields"), UNREADABLE)
def test_an_event_that_cannot_be_read_is_named_with_its_fields(
    event: AuditEvent, changes: dict[str, Any], fields: tuple[str, ...]
) -> None:
    document = stored(event, **changes)

    outcome = message_from(document)

    assert isinstance(outcome, Unusable)
    assert (outcome.document, outcome.document_path) == ("audit event", document.path)
    assert tuple(field for field in outcome.fields if field) == fields


@pytest.mark.parametrize("path", ["audit_events/e", "organizations/acme", "organizations/a/audit_events/e/x/y"])
def test_an_event_in_no_organization_is_not_published(path: str) -> None:
    document = replace(stored(a_grant()), path=path)

    outcome = message_from(document)

    assert isinstance(outcome, Unusable)
    assert outcome.fields == ("session.acquired.organization_id",)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.datetimes(datetime(1, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 bounds are naive
    | st.just(Opaque("bytes_value")),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
EVENTS = st.sampled_from([a_grant(), an_end(), a_denial(), a_repair()])


@given(EVENTS, st.data())
def test_whatever_somebody_writes_into_an_event_it_is_published_or_named(
    event: AuditEvent, data: st.DataObject
) -> None:
    fields = audit_event_fields(event, ACME, RETENTION)
    name = data.draw(st.sampled_from(sorted(fields)))
    changes: dict[str, Any] = {name: data.draw(ANYTHING)}
    if data.draw(st.booleans()):
        inside = data.draw(st.sampled_from(sorted(event.details)))
        changes = {"details": {**event.details, inside: data.draw(ANYTHING)}}

    outcome = message_from(stored(event, **changes))

    if not isinstance(outcome, Unusable):
        assert AUDIT_MESSAGE.validate_json(outcome.model_dump_json()) == outcome


def test_a_repair_that_nobody_asked_for_has_the_system_as_its_actor() -> None:
    message = sent(message_from(stored(a_repair(SeatUse(by_license={"cad": 3})))))

    assert message["actor"] == SYSTEM
    assert message["details"] == {
        "before": [{"license_id": "cad", "in_use": 3, "pools": []}],
        "after": [{"license_id": "cad", "in_use": 2, "pools": []}],
    }
