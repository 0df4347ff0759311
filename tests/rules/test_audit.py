"""Audit events: one for each thing that happened, and the same one whenever it is reported again."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.rules.audit import CONSOLE, SYSTEM, AuditEvent, AuditType, acquired, edited, ended, expiring, usage_repaired
from shared.rules.digest import BASE32, DIGEST_LENGTH, digest
from shared.rules.seat_use import SeatUse
from shared.rules.session import EndReason
from shared.rules.session import ended as end
from tests.rules.make import INSTANT, LEASE, NOW, a_license, a_session

LATER = NOW + timedelta(minutes=2)


def test_a_grant_is_reported_with_its_number_and_its_user_as_the_actor() -> None:
    session = a_session("ann", started_at=NOW)

    event = acquired(session, grant_number=41, details={"seats": {"in_use": 3, "max": 5}})

    assert event == AuditEvent(
        name=event.name,
        type=AuditType.ACQUIRED,
        at=NOW,
        actor="ann",
        license_id="cad",
        session_id=session.session_id,
        user_id="ann",
        hardware_id="laptop",
        grant_number=41,
        details={
            "ip_address": "192.0.2.7",
            "user_agent": "cad/4.2",
            "user_email": "ann@acme.example",
            "seats": {"in_use": 3, "max": 5},
        },
    )


def test_two_instances_that_give_the_same_grant_number_report_the_same_event() -> None:
    ann, ben = a_session("ann"), a_session("ben", license_id="render", started_at=LATER)

    events = [acquired(session, grant_number=41, details={}) for session in (ann, ben)]

    assert events[0].name == events[1].name


def test_the_same_grant_number_of_another_epoch_is_another_event() -> None:
    epochs = [None, "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.000001Z"]

    names = {acquired(a_session(), grant_number=41, epoch=epoch, details={}).name for epoch in epochs}

    assert len(names) == 3


def test_a_grant_without_an_epoch_is_named_as_it_always_was() -> None:
    event = acquired(a_session(), grant_number=41, details={})

    assert event.name == digest("session.acquired", "41")


def test_every_grant_number_has_an_event_of_its_own() -> None:
    session = a_session()

    ids = {acquired(session, grant_number=number, details={}).name for number in range(100)}

    assert len(ids) == 100


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (EndReason.RELEASED, AuditType.RELEASED),
        (EndReason.RELEASED_ELSEWHERE, AuditType.RELEASED),
        (EndReason.EXPIRED, AuditType.EXPIRED),
        (EndReason.REVOKED_BY_ADMIN, AuditType.REVOKED),
        (EndReason.USER_DEACTIVATED, AuditType.REVOKED),
        (EndReason.LICENSE_DEACTIVATED, AuditType.REVOKED),
        (EndReason.LICENSE_EXPIRED, AuditType.REVOKED),
        (EndReason.ORGANIZATION_DEACTIVATED, AuditType.REVOKED),
        (EndReason.DOCUMENT_REMOVED, AuditType.REVOKED),
    ],
)
def test_an_end_is_reported_as_release_expiry_or_revocation_with_its_reason(reason: EndReason, kind: AuditType) -> None:
    session = end(a_session(started_at=NOW), reason=reason, now=LATER)

    event = ended(session, actor="adam")

    assert event == AuditEvent(
        name=event.name,
        type=kind,
        at=LATER,
        actor="adam",
        license_id="cad",
        session_id=session.session_id,
        user_id="ann",
        hardware_id="laptop",
        grant_number=None,
        details={
            "reason": reason.value,
            "started_at": NOW,
            "last_heartbeat_at": NOW,
            "lease_expires_at": NOW + LEASE,
        },
    )


@pytest.mark.parametrize("reason", EndReason)
def test_the_same_end_reported_again_is_the_same_event(reason: EndReason) -> None:
    session = end(a_session(), reason=reason, now=LATER)

    events = [ended(session, actor=SYSTEM), ended(session, actor="adam")]

    assert events[0].name == events[1].name


def test_a_session_that_a_person_opened_again_has_a_second_end() -> None:
    session = end(a_session(), reason=EndReason.RELEASED, now=LATER)
    opened_again = replace(session, ended_at=None, end_reason=None)

    second = end(opened_again, reason=EndReason.EXPIRED, now=LATER + INSTANT)

    assert ended(session, actor=SYSTEM).name != ended(second, actor=SYSTEM).name


def test_each_tenure_of_a_device_has_an_end_of_its_own() -> None:
    first, second = a_session(started_at=NOW), a_session(started_at=NOW + INSTANT)

    events = [ended(end(tenure, reason=EndReason.RELEASED, now=LATER), actor="ann") for tenure in (first, second)]

    assert events[0].session_id == events[1].session_id
    assert events[0].name != events[1].name


def test_each_session_has_an_end_of_its_own() -> None:
    sessions = [a_session("ann"), a_session("ben"), a_session("ann", hardware_id="desktop")]

    ids = {ended(end(session, reason=EndReason.EXPIRED, now=LATER), actor=SYSTEM).name for session in sessions}

    assert len(ids) == len(sessions)


def test_a_session_that_has_not_ended_has_no_end_to_report() -> None:
    session = a_session()

    with pytest.raises(ValueError, match=f"session {session.session_id} has not ended"):
        ended(session, actor=SYSTEM)


def test_a_repair_is_reported_with_the_counters_before_and_after_and_nobody_as_the_actor() -> None:
    before = SeatUse(by_license={"cad": 3}, by_pool={("cad", "design"): 2})
    after = SeatUse(by_license={"cad": 2, "render": 1}, by_pool={("render", "design"): 1})

    event = usage_repaired(at=NOW, before=before, after=after)

    assert event == AuditEvent(
        name=event.name,
        type=AuditType.USAGE_REPAIRED,
        at=NOW,
        actor=SYSTEM,
        details={
            "before": [{"license_id": "cad", "in_use": 3, "pools": [{"group": "design", "in_use": 2}]}],
            "after": [
                {"license_id": "cad", "in_use": 2, "pools": []},
                {"license_id": "render", "in_use": 1, "pools": [{"group": "design", "in_use": 1}]},
            ],
        },
    )


def test_counters_that_could_not_be_read_have_no_before() -> None:
    event = usage_repaired(at=NOW, before=None, after=SeatUse())

    assert event.details == {"before": None, "after": []}


def test_a_reported_repair_stays_as_it_was_when_the_counters_go_on() -> None:
    held = {"cad": 2}
    event = usage_repaired(at=NOW, before=SeatUse(), after=SeatUse(by_license=held))

    held["cad"] = 9

    assert event.details == {"before": [], "after": [{"license_id": "cad", "in_use": 2, "pools": []}]}


def test_repairs_at_different_instants_are_different_events() -> None:
    times = [NOW, NOW + INSTANT]

    events = [usage_repaired(at=at, before=SeatUse(), after=SeatUse()) for at in times]

    assert events[0].name != events[1].name


def test_a_name_is_26_lower_case_base32_characters() -> None:
    session = end(a_session(), reason=EndReason.RELEASED, now=LATER)

    ids = [
        acquired(session, grant_number=1, details={}).name,
        ended(session, actor="ann").name,
        usage_repaired(at=NOW, before=SeatUse(), after=SeatUse()).name,
    ]

    assert len(set(ids)) == 3
    assert all(len(name) == DIGEST_LENGTH and set(name) <= set(BASE32) for name in ids)


def test_an_events_name_stays_the_same_from_release_to_release_of_this_program() -> None:
    # Two releases run side by side while one replaces the other; only the same name makes them see each other's grants.
    event = acquired(a_session(), grant_number=1, details={})

    assert event.name == "6y6zcwt6pmun4qv6ifzksbwimr"


# Edits


def test_an_edit_is_told_with_what_was_there_before_and_after() -> None:
    before = {"max_concurrent_seats": "5", "name": '"CAD"', "notes": '"x"'}
    after = {"max_concurrent_seats": "20", "name": '"CAD"', "lease_seconds": "60"}

    event = edited(AuditType.LICENSE_EDITED, "cad", at=NOW, before=before, after=after)

    assert (event.type, event.actor, event.at) == (AuditType.LICENSE_EDITED, CONSOLE, NOW)
    assert (event.license_id, event.user_id, event.session_id) == ("cad", None, None)
    assert event.details == {
        "edit": "changed",
        "changes": [
            {"field": "lease_seconds", "before": None, "after": "60"},
            {"field": "max_concurrent_seats", "before": "5", "after": "20"},
            {"field": "notes", "before": '"x"', "after": None},
        ],
    }


@pytest.mark.parametrize(
    ("before", "after", "edit"),
    [
        (None, {"name": '"x"'}, "created"),
        ({"name": '"x"'}, {"name": '"y"'}, "changed"),
        ({"name": '"x"'}, None, "deleted"),
    ],
)
def test_an_edit_makes_changes_or_deletes(
    before: dict[str, str] | None, after: dict[str, str] | None, edit: str
) -> None:
    event = edited(AuditType.USER_EDITED, "ann", at=NOW, before=before, after=after)

    assert event.details["edit"] == edit
    assert (event.user_id, event.license_id) == ("ann", None)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ('"7K3QF-9XW2M-QZP4T"', '"…ZP4T"'),
        ('"ABCDEFGHIJKL"', '"…IJKL"'),
        ('"ABCDEFGHIJK"', '"…"'),
        ("5", '"…"'),
    ],
)
def test_of_a_license_key_no_more_is_told_than_tells_keys_apart(key: str, told: str) -> None:
    event = edited(AuditType.LICENSE_EDITED, "cad", at=NOW, before=None, after={"license_key": key})

    assert event.details["changes"] == [{"field": "license_key", "before": None, "after": told}]


def test_of_a_user_only_what_the_seats_depend_on_is_told() -> None:
    before = {"email": '"ann@acme.example"', "full_name": '"Ann"', "role": '"member"', "is_active": "true"}
    after = {"email": '"ann@new.example"', "phone": "5550100", "role": '"admin"', "is_active": "true"}
    after["groups"] = '["design"]'

    event = edited(AuditType.USER_EDITED, "ann", at=NOW, before=before, after=after)

    assert event.details["changes"] == [
        {"field": "email", "before": '"…"', "after": '"…"'},
        {"field": "full_name", "before": '"…"', "after": None},
        {"field": "groups", "before": None, "after": '["design"]'},
        {"field": "phone", "before": None, "after": '"…"'},
        {"field": "role", "before": '"member"', "after": '"admin"'},
    ]


def test_two_edits_have_two_names_and_one_has_one() -> None:
    first = edited(AuditType.LICENSE_EDITED, "cad", at=NOW, before=None, after={})
    others = [
        edited(AuditType.LICENSE_EDITED, "cad", at=LATER, before=None, after={}),
        edited(AuditType.LICENSE_EDITED, "render", at=NOW, before=None, after={}),
        edited(AuditType.USER_EDITED, "cad", at=NOW, before=None, after={}),
        edited(AuditType.LICENSE_EDITED, "cad", at=NOW, before={}, after=None),
    ]

    again = edited(AuditType.LICENSE_EDITED, "cad", at=NOW, before=None, after={})

    assert again.name == first.name
    assert first.name not in {other.name for other in others}


A_WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("ends_at", "is_active", "is_reported"),
    [
        (None, True, False),
        (NOW + A_WEEK, True, True),
        (NOW + A_WEEK + INSTANT, True, False),
        (NOW + INSTANT, True, True),
        (NOW, True, False),
        (NOW + A_WEEK, False, False),
    ],
    ids=["no end", "in a week", "later", "in an instant", "now", "deactivated"],
)
def test_a_license_in_use_that_ends_within_the_days_is_reported(
    ends_at: datetime | None, *, is_active: bool, is_reported: bool
) -> None:
    license_ = replace(a_license(), expires_at=ends_at, is_active=is_active)

    assert (expiring(license_, days_before=7, now=NOW) is not None) is is_reported


def test_an_end_has_one_event_for_each_number_of_days_and_a_moved_end_has_others() -> None:
    ends = [replace(a_license(), expires_at=NOW + span) for span in (timedelta(hours=1), timedelta(hours=2))]

    events = [expiring(end_, days_before=days, now=NOW) for end_ in ends for days in (30, 7, 1)]
    later = expiring(ends[0], days_before=30, now=NOW + timedelta(minutes=5))

    names = [event.name for event in events if event is not None]
    assert len({*names}) == 6
    assert later is not None
    assert later.name == names[0]
