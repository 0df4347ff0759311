"""The meaning of each field of the contract, with its unit and an example."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.documents.rfc3339 import rfc3339
from shared.edge.history_query import token_of
from shared.edge.public_keys import thumbprint
from shared.rules.admission import invitation_id_of
from shared.rules.digest import digest
from shared.rules.history import Records, TenureSeen, usage_day
from shared.rules.history_summary import MAX_HISTORY_DAYS
from shared.rules.release import MAX_KEPT_OUT
from shared.rules.session import EndReason, session_id_of
from shared.rules.sign_in import sign_in_id_of
from shared.seats.history import MAX_SCANNED

AT = datetime(2026, 3, 2, 9, 14, 7, 250_000, tzinfo=UTC)
"""The time of all examples."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A field's meaning and an example of its value. A field with inner fields takes its example from them."""

    meaning: str
    example: Any = None


_AT, _LEASE_ENDS, _STARTED = rfc3339(AT), rfc3339(AT + timedelta(minutes=6)), rfc3339(AT - timedelta(hours=2))
_GRACE_ENDS = rfc3339(AT + timedelta(minutes=36))
_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
"""The public key of RFC 8037's example, appendix A.2."""
_LEASE_TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJzZWF0bGVhc2UvYWNtZSJ9.c2lnbmF0dXJl"  # noqa: S105 signed by nobody
_EVENT_ID = digest("an event of the examples")
_TOKEN_OF_EVENT = token_of(AT, _EVENT_ID)
SESSION_ID = session_id_of(license_id="license-1", user_id="ada", hardware_id="adas-laptop")

A_DAY = usage_day(
    "license-1",
    AT.date(),
    Records(
        tenures=[
            TenureSeen(
                session_id=SESSION_ID,
                user_id="ada",
                started_at=AT - timedelta(hours=2),
                last_heartbeat_at=AT,
                lease_expires_at=AT + timedelta(minutes=6),
                ended_at=None,
            )
        ],
        seats=20,
    ),
    computed_at=AT.replace(microsecond=0),
)
"""The day of the examples: one user has worked for two hours."""

WORDS: Mapping[str, Word] = {
    "license_key": Word(
        meaning="The license's key, as an admin gave it to the user. Blanks around it do not count. Of a generated key "
        "(five groups of five characters) neither case, blanks nor hyphens count, and I and L are 1, O is 0, U is V. "
        "Its normal form has capital letters and hyphens.",
        example="ACME-DESIGN-STUDIO",
    ),
    "LicenseView.license_key": Word(
        meaning="The license's key, for owners and admins. null: for others, or its document cannot be used.",
        example="ACME-DESIGN-STUDIO",
    ),
    "hardware_id": Word(
        meaning="The client's name for the device. It must always be the same on the same device.",
        example="adas-laptop",
    ),
    "nonce": Word(
        meaning="A random text, new for each request. The `lease_token` of the answer repeats it. So a client knows "
        "that the answer is no recording of an earlier one. null, or left out: the token has none.",
        example="nVkOq3Tz0mJ5rWc1uYhB8g",
    ),
    "instance_id": Word(
        meaning="A random text for each program that works on the seat, such as each replica; 16 to 64 characters. The "
        "processes of a device that share the seat send the same one. Send it in acquire, heartbeat and release. null, "
        "or left out: an instance without a name.",
        example="Zq3b0T5vN1xK8cWm",
    ),
    "ReleaseBody.instance_id": Word(
        meaning="The instance that leaves. The seat is given back when the last one has left. null, or left out: the "
        "session itself ends, for all instances.",
        example="Zq3b0T5vN1xK8cWm",
    ),
    "until": Word(
        meaning="Until when the user gets no seat of the license. From then on the user may take one again.",
        example=rfc3339(AT + timedelta(hours=2)),
    ),
    "ReleaseBody.until": Word(
        meaning="For the session of another user: that user gets no seat of its license before this time, at most "
        f"{MAX_KEPT_OUT.days} days ahead. null, or left out: the user may take a seat again at once.",
        example=rfc3339(AT + timedelta(hours=2)),
    ),
    "instances": Word(
        meaning="How many instances were heard of within a lease. Programs that send no `instance_id` count as one.",
        example=1,
    ),
    "addresses": Word(meaning="The IP addresses of these instances.", example=["203.0.113.7"]),
    "InstanceLimitDetails.max": Word(meaning="The most instances that may work on one seat.", example=1),
    "InstanceLimitDetails.earliest_expiry_at": Word(
        meaning="When the first of these instances is forgotten without a heartbeat.", example=_LEASE_ENDS
    ),
    "session_id": Word(
        meaning="The id of the session: this user, on this device, with a seat of this license.", example=SESSION_ID
    ),
    "license_id": Word(meaning="The license's id in the organization.", example="license-1"),
    "user_id": Word(meaning="The user's uid in Firebase Authentication.", example="ada"),
    "user_email": Word(meaning="The user's e-mail address.", example="ada@northwind.example"),
    "ip_address": Word(
        meaning="The IP address from which the user took the seat, as the platform saw it.", example="203.0.113.7"
    ),
    "user_agent": Word(
        meaning="The name and version that the client gave itself when it took the seat.", example="cad/4.2"
    ),
    "started_at": Word(meaning="When the user took the seat.", example=_STARTED),
    "last_heartbeat_at": Word(meaning="When the lease last started anew.", example=_AT),
    "lease_expires_at": Word(
        meaning="The end of the lease. From then on the seat is free, unless a heartbeat came before.",
        example=_LEASE_ENDS,
    ),
    "grace_ends_at": Word(
        meaning="Until when a program that cannot reach the service may work on. Its seat is already free from the end "
        "of the lease on. It is the end of the lease if the license gives no grace, and until the user has held the "
        "seat for one lease.",
        example=_GRACE_ENDS,
    ),
    "lease_token": Word(
        meaning="A JWT (EdDSA) that proves this lease offline, with the public keys that `keys` answers. Its claims: "
        "`iss`, `sub` (the user), `iat`, `exp` (the end of the grace), `organization_id`, `license_id`, "
        "`license_key_sha256` (the SHA-256 of the license key's normal form in UTF-8, in hexadecimal), `session_id`, "
        "`hardware_sha256` (the same of the hardware id), `lease_expires_at`, `grace_ends_at`, and `nonce` if the "
        "request had one. Times are in whole seconds.",
        example=_LEASE_TOKEN,
    ),
    "keys": Word(meaning="The keys."),
    "kty": Word(meaning="The type of the key.", example="OKP"),
    "crv": Word(meaning="The curve of the key.", example="Ed25519"),
    "x": Word(meaning="The public key itself, base64url.", example=_X),
    "kid": Word(meaning="The key's id in a token's header: its thumbprint (RFC 7638).", example=thumbprint(_X)),
    "use": Word(meaning="The use of the key: signatures.", example="sig"),
    "alg": Word(meaning="The algorithm of the signatures.", example="EdDSA"),
    "heartbeat_interval_seconds": Word(
        meaning="In how many seconds to send the next heartbeat: a third of the lease, or up to a tenth sooner.",
        example=114,
    ),
    "seats": Word(meaning="The seats of the license after this decision."),
    "in_use": Word(meaning="Seats in use at `server_time`.", example=3),
    "Seats.in_use": Word(
        meaning="Seats in use at `server_time`, as the counters say. They count a session that an admin ended by hand "
        "until it is reported, at its client's next heartbeat or at most 15 minutes later, and one whose lease ran out "
        "for about a minute.",
        example=3,
    ),
    "max": Word(meaning="The cap: the most seats in use at a time.", example=20),
    "LicenseView.max": Word(meaning="The license's cap. null: its document cannot be used.", example=20),
    "OrganizationView.max": Word(
        meaning="The cap over all licenses together. null: only the licenses' own caps count.", example=40
    ),
    "share": Word(
        meaning="`in_use` divided by `max`, rounded to four digits. null: there is no cap, or it is 0.",
        example=0.15,
    ),
    "renewed": Word(meaning="Whether this user on this device already held the seat.", example=False),
    "server_time": Word(
        meaning="When it was decided, by the database's clock. If Firestore was not asked, by the function's clock.",
        example=_AT,
    ),
    "organization": Word(meaning="The caller's organization."),
    "organization_id": Word(meaning="The organization's id.", example="northwind"),
    "name": Word(meaning="The name that people see.", example="Northwind"),
    "LicenseView.name": Word(
        meaning="The name that people see. null: the license's document cannot be used.", example="Design Studio"
    ),
    "status": Word(
        meaning="Whether the license gives seats. `active`: it does, while one is free. `inactive`: an admin "
        "deactivated it. `not_started`: its contract begins later. `expired`: its contract has ended. "
        "`misconfigured`: an admin must correct its document.",
        example="active",
    ),
    "is_active": Word(
        meaning="Whether an admin lets the license give seats. null: its document cannot be used.", example=True
    ),
    "expires_at": Word(
        meaning="The end of the contract. null: it has no end, or the license's document cannot be used.",
        example="2027-01-01T00:00:00.000000Z",
    ),
    "license_expires_at": Word(
        meaning="The end of the license's contract: no seat is given from then on. null: it has no end.",
        example="2027-01-01T00:00:00.000000Z",
    ),
    "starts_at": Word(
        meaning="The start of the contract: no seat is given before. null: it has started, or the license's document "
        "cannot be used.",
        example="2026-01-01T00:00:00.000000Z",
    ),
    "NotStartedDetails.starts_at": Word(
        meaning="The start of the contract: no seat is given before.", example="2027-01-01T00:00:00.000000Z"
    ),
    "features": Word(
        meaning="What the vendor sold with the license: names and values of the vendor's own.",
        example={"edition": "pro", "export": True, "max_layers": 64},
    ),
    "is_overdraft": Word(meaning="Whether the seat was given above the license's own number of seats.", example=False),
    "overdraft": Word(meaning="The seats above the license's own number."),
    "OverdraftView.in_use": Word(meaning="Overdraft seats in use at `server_time`.", example=0),
    "OverdraftView.max": Word(meaning="How many seats may be in use above the license's own number.", example=2),
    "pools": Word(meaning="The reserved seats of each group, and the common ones. Empty: nothing is reserved."),
    "group": Word(meaning="The group that the seats are reserved for. null: they are for all users.", example="design"),
    "borrow_until": Word(
        meaning="Borrow the seat until then, to work without a connection. Until then it cannot be taken back.",
        example="2026-03-05T17:00:00.000000Z",
    ),
    "borrowed_until": Word(
        meaning="Until when the seat is borrowed: the device may use it without a connection. null: it is not.",
        example=None,
    ),
    "borrowed": Word(meaning="The borrowed seats."),
    "BorrowedView.in_use": Word(meaning="Borrowed seats in use at `server_time`.", example=1),
    "BorrowedView.max": Word(meaning="How many seats may be borrowed at a time. null: all.", example=3),
    "BorrowedSeatsDetails.borrowed": Word(meaning="Seats that are borrowed.", example=3),
    "BorrowedSeatsDetails.max": Word(meaning="How many seats may be borrowed at a time.", example=3),
    "overhang": Word(
        meaning="Ended sessions whose device may work on without a seat, because it has borrowed one. Owners and "
        "admins see those of all users."
    ),
    "OverhangView.until": Word(meaning="Until when the device may work on.", example="2026-03-05T17:00:00.000000Z"),
    "latest_until": Word(
        meaning="The latest time until which a seat can be borrowed.", example="2026-03-09T09:14:07.250000Z"
    ),
    "pool": Word(meaning="The group whose reserved seat it is. null: a common seat.", example=None),
    "PoolView.in_use": Word(meaning="Seats of the pool in use at `server_time`.", example=2),
    "PoolView.max": Word(meaning="The seats of the pool.", example=5),
    "reserved_for_others": Word(
        meaning="How many seats of the license are free, but reserved for groups that the user does not belong to.",
        example=0,
    ),
    "wait_until": Word(
        meaning="Until when the user waits for a seat: at most 4 hours ahead. A program that asks again may move it.",
        example="2026-03-02T10:00:00.000000Z",
    ),
    "waited_seconds": Word(
        meaning="For how long the user had a place in the line. null: they had none, or hold the seat already.",
        example=None,
    ),
    "waiting": Word(meaning="The line for a seat of the license."),
    "SeatLimitDetails.waiting": Word(meaning="How many users wait in the license's line.", example=0),
    "for_waiting": Word(
        meaning="How many seats are free, but for users who wait already. They get them when they ask again.", example=0
    ),
    "position": Word(meaning="The how many-th of the license's line the user is. 1: the first.", example=3),
    "of": Word(meaning="How many wait in the license's line, this user included.", example=12),
    "WaitingView.since": Word(meaning="Since when the user waits. Earlier ones are served first.", example=_AT),
    "WaitingAnswer.session_id": Word(
        meaning="The id that the session will have. A release of it leaves the line.", example=SESSION_ID
    ),
    "ask_again_in_seconds": Word(
        meaning="In how many seconds to send the same request again. The place is lost after about two and a half "
        "times as long.",
        example=5,
    ),
    "count": Word(meaning="How many users wait for a seat of the license.", example=2),
    "since": Word(meaning="Since when the first of them waits. null: no user waits.", example=_AT),
    "idle_seconds": Word(
        meaning="For how many seconds the program's user has done nothing in it. Only a program that knows sends it.",
        example=0,
    ),
    "DeviceLimitDetails.sessions": Word(
        meaning="The user's own sessions of the license, oldest first. A release of its id ends one."
    ),
    "DeviceLimitDetails.max": Word(meaning="On how many devices one user may hold a seat of the license.", example=1),
    "licenses": Word(meaning="Every license of the organization, or the one with the requested key."),
    "earliest_expiry_at": Word(
        meaning="When the first lease ends without a heartbeat. Its seat is free then at the latest. "
        "null: no seat is in use.",
        example=_LEASE_ENDS,
    ),
    "misconfigured_fields": Word(meaning="Fields of the license's document that an admin must correct.", example=[]),
    "last_24_hours": Word(
        meaning="The last 24 hours, for owners and admins in the full view. Otherwise null, and for up to an hour "
        "after a license was made."
    ),
    "view": Word(
        meaning="`now`: without the last 24 hours, for a page that asks every few seconds. `full`: with them.",
        example="now",
    ),
    "viewer": Word(meaning="The caller."),
    "ViewerView.email": Word(
        meaning="The user's e-mail address. null: none is known.", example="ada@northwind.example"
    ),
    "ViewerView.role": Word(
        meaning="owner or admin: sees everything. member: sees their own sessions and the totals. guest: sees the "
        "totals.",
        example="admin",
    ),
    "warnings": Word(
        meaning="What owners and admins should know, the most urgent first. Empty for others. A client must expect new "
        "codes, and shows their message."
    ),
    "WarningView.code": Word(
        meaning="`FULL`: all seats are in use, those of overdraft too. `NEARLY_FULL`: 80 % or more have been for 15 "
        "minutes. `DENIED_TODAY`: users got no seat today, in UTC. `LICENSE_ENDS`: the contract ends within 30 days. "
        "`BORROWED_END_TODAY`: borrowed seats end within 24 hours.",
        example="LICENSE_ENDS",
    ),
    "WarningView.license_id": Word(
        meaning="The license. null: it is about the whole organization.", example="license-1"
    ),
    "number": Word(
        meaning="`FULL`: users who wait. `NEARLY_FULL`: seats in use, in percent. `DENIED_TODAY`: users. "
        "`LICENSE_ENDS`: days left, the last of which is 1. `BORROWED_END_TODAY`: seats.",
        example=7,
    ),
    "WarningView.at": Word(
        meaning="`LICENSE_ENDS`: the end of the contract. `BORROWED_END_TODAY`: the first end. Otherwise null.",
        example=rfc3339(AT + timedelta(days=6, hours=9)),
    ),
    "WarningView.message": Word(
        meaning="The warning in a sentence, with the license's name. Its wording may change.",
        example="Design Studio ends in 7 days.",
    ),
    "terms": Word(meaning="The terms of the license, for owners and admins. Otherwise null."),
    "allowed_groups": Word(
        meaning="Only users of one of these groups get a seat. null: all users, or the document cannot be used.",
        example=None,
    ),
    "reservations": Word(
        meaning="How many seats are reserved for each group. null: the document cannot be used.", example={"design": 5}
    ),
    "max_devices_per_user": Word(
        meaning="On how many devices one user may hold a seat. null: no limit, or the document cannot be used.",
        example=2,
    ),
    "overdraft_seats": Word(
        meaning="How many seats are given above the license's own number. null: the document cannot be used.",
        example=2,
    ),
    "TermsView.idle_seconds": Word(
        meaning="A user who does nothing in the program for so many seconds loses the seat. null: never, or the "
        "document cannot be used.",
        example=None,
    ),
    "max_borrow_seconds": Word(
        meaning="For how many seconds a user may borrow a seat. 0: not at all. null: the document cannot be used.",
        example=604_800,
    ),
    "max_borrowed_seats": Word(
        meaning="How many seats may be borrowed at a time. null: all, or the document cannot be used.", example=3
    ),
    "max_instances_per_seat": Word(
        meaning="How many instances may work on one seat. null: no limit, or the document cannot be used.",
        example=None,
    ),
    "lease_seconds": Word(
        meaning="How many seconds a seat is held without a heartbeat. null: the document cannot be used.", example=360
    ),
    "grace_seconds": Word(
        meaning="How many seconds after its lease a program may work on without a connection. null: the document "
        "cannot be used.",
        example=1_800,
    ),
    "problems": Word(meaning="What is wrong with the license's document, a text for each problem.", example=[]),
    "sessions": Word(meaning="The live sessions on this page that the caller may see, oldest first."),
    "begins_at": Word(
        meaning="Since when these numbers count: the first half hour that began in the last 24 hours.",
        example="2026-03-01T09:30:00.000000Z",
    ),
    "ActivityView.computed_at": Word(
        meaning="Until when they count, with the numbers of `server_time` beside. They are counted every hour.",
        example="2026-03-02T09:04:55.000000Z",
    ),
    "peak_in_use": Word(meaning="The most seats in use at a time.", example=17),
    "peak_demand": Word(
        meaning="The most seats wanted at a time: those in use, and those that users asked or waited for.", example=19
    ),
    "peak_overdraft": Word(
        meaning="The most seats in use above the license's own number at a time, or the overdraft now, if it is more.",
        example=0,
    ),
    "denied_users": Word(
        meaning="How many users got no seat because a cap was reached. A user counts once for each day in UTC.",
        example=2,
    ),
    "page_size": Word(meaning="The most sessions, or users, on a page.", example=100),
    "page_token": Word(
        meaning="Where the page begins: the unchanged `next_page_token` of the page before.", example=SESSION_ID
    ),
    "next_page_token": Word(meaning="`page_token` of the next page. null: this is the last page.", example=SESSION_ID),
    "HistoryQuery.from": Word(
        meaning="The first day, in UTC. Left out: 30 days until `to`.",
        example=(AT - timedelta(days=29)).date().isoformat(),
    ),
    "HistoryQuery.to": Word(
        meaning=f"The last day, in UTC, at most {MAX_HISTORY_DAYS} days from the first one. Left out: today.",
        example=AT.date().isoformat(),
    ),
    "HistoryQuery.license_id": Word(
        meaning="Only this license. It may have been deleted. Left out: all that there are.", example="license-1"
    ),
    "HistoryQuery.view": Word(
        meaning="`days`: how the licenses were used. `events`: the audit trail, newest first.", example="days"
    ),
    "HistoryQuery.format": Word(
        meaning="`csv` for a link that cannot set the header `Accept`. Left out: by that header.", example="json"
    ),
    "HistoryQuery.per": Word(
        meaning="What a row of the CSV file is about: a license and half hour, or a license and day.", example="day"
    ),
    "HistoryQuery.user_id": Word(meaning="Only events about this user.", example="ada"),
    "HistoryQuery.type": Word(meaning="Only events of this type.", example="session.denied"),
    "HistoryQuery.page_size": Word(
        meaning=f"The most events on a page. A CSV file has up to {MAX_SCANNED:,}.", example=100
    ),
    "HistoryQuery.page_token": Word(
        meaning="Where the page begins: the unchanged `next_page_token` of the page before.", example=_TOKEN_OF_EVENT
    ),
    "TrailAnswer.next_page_token": Word(
        meaning="`page_token` of the next page. null: this is the last page. A page before it may be short, or empty.",
        example=_TOKEN_OF_EVENT,
    ),
    "HistoryAnswer.from": Word(
        meaning="The first day that the answer is about, in UTC.", example=(AT - timedelta(days=29)).date().isoformat()
    ),
    "HistoryAnswer.to": Word(meaning="The last day.", example=AT.date().isoformat()),
    "HistoryAnswer.licenses": Word(meaning="Each license that there is, or the one that was asked for."),
    "LicenseHistoryView.max": Word(
        meaning="The seats of the license now. null: it was deleted, or an admin must correct it.", example=20
    ),
    "days": Word(meaning="The days that were counted, oldest first."),
    "summary": Word(meaning="All these days together."),
    "date": Word(meaning="The day, in UTC.", example=AT.date().isoformat()),
    "is_settled": Word(meaning="Whether the numbers are final. They are a day after the day's end.", example=False),
    "is_complete": Word(
        meaning="Whether the day is counted to its end. A settled day that is not had too many events: its numbers end "
        "at computed_at.",
        example=False,
    ),
    "computed_at": Word(meaning="Until when everything is counted.", example=rfc3339(AT.replace(microsecond=0))),
    "DayView.peak_in_use": Word(
        meaning="For each half hour: the most seats in use at a time.", example=list(A_DAY.peak_in_use)
    ),
    "DayView.peak_demand": Word(
        meaning="For each half hour: the most devices that held a seat or waited for one.",
        example=list(A_DAY.peak_demand),
    ),
    "DayView.seats": Word(
        meaning="For each half hour: the license's cap then, the highest if an admin changed it. null: it is not "
        "known, or the half hour has not come.",
        example=list(A_DAY.seats),
    ),
    "full_seconds": Word(
        meaning="For each half hour: for how many seconds no seat below the cap was free.",
        example=list(A_DAY.full_seconds),
    ),
    "denied_people": Word(
        meaning="For each half hour: how many users were refused for want of a seat.", example=list(A_DAY.denied_people)
    ),
    "seconds_at": Word(
        meaning="By a number of seats: for how many seconds so many were in use. They add up to the time that has "
        "passed.",
        example={str(level): seconds for level, seconds in A_DAY.seconds_at.items()},
    ),
    "demand_seconds_at": Word(
        meaning="By a number of devices: for how many seconds so many held a seat or waited for one.",
        example={str(level): seconds for level, seconds in A_DAY.demand_seconds_at.items()},
    ),
    "seat_seconds": Word(meaning="The seconds of all seats in use together.", example=A_DAY.seat_seconds),
    "idle_seat_seconds": Word(
        meaning="Of these, those after the last heartbeat of programs that were not heard of again.", example=0
    ),
    "borrowed_seat_seconds": Word(meaning="Of these, those of borrowed seats.", example=0),
    "overdraft_seat_seconds": Word(meaning="Of these, those above the cap.", example=0),
    "waits": Word(meaning="The waits in the line that ended with a seat on this day."),
    "WaitsView.count": Word(meaning="How many there were.", example=2),
    "p50_seconds": Word(meaning="Half of them were no longer than this. null: there were none.", example=40),
    "p95_seconds": Word(meaning="95 % of them were no longer than this. null: there were none.", example=310),
    "people_denied": Word(meaning="How many users were refused on this day for want of a seat.", example=2),
    "people_turned_away": Word(
        meaning="How many users were refused, or left the line, and had no seat within 15 minutes. In a summary they "
        "are counted once for each day.",
        example=1,
    ),
    "SummaryView.peak_demand": Word(meaning="The most devices that held a seat or waited for one.", example=21),
    "busy_seconds": Word(
        meaning="For how many seconds at least one device held a seat or waited for one.", example=28_800
    ),
    "seats_enough_for": Word(
        meaning="By a share of the busy time in percent: the fewest seats that would have been enough. null: there was "
        "no busy time.",
        example={"95": 18, "99": 19, "100": 21},
    ),
    "enough_share": Word(
        meaning="For which share of the busy time the license's present seats would have been enough. null: there was "
        "no busy time, or the seats are not known.",
        example=0.972,
    ),
    "events": Word(meaning="The events, newest first."),
    "event_id": Word(meaning="The event's id, the same as in messages of the audit topic.", example=_EVENT_ID),
    "at": Word(meaning="When it happened.", example=_AT),
    "EventView.type": Word(meaning="What happened.", example="session.denied"),
    "actor": Word(
        meaning="The id of the user who did it, `console` for the vendor's admins, or `system`.", example="ada"
    ),
    "EventView.details": Word(
        meaning="More about it. Its form depends on the type.", example={"limit": "license", "attempts": 3}
    ),
    "email": Word(meaning="The person's e-mail address.", example="ada@northwind.example"),
    "MemberView.email": Word(
        meaning="The user's e-mail address. null: none is known that is verified.", example="ada@northwind.example"
    ),
    "role": Word(
        meaning="`owner` and `admin` hold seats, see and end all sessions, and manage the users. `member` holds seats. "
        "`guest` sees totals and holds none.",
        example="member",
    ),
    "MemberBody.role": Word(meaning="The user's new role. null, or left out: it stays.", example="admin"),
    "MemberView.role": Word(meaning="The user's role. null: the user's document cannot be used.", example="member"),
    "groups": Word(
        meaning="The groups of the user, at most 20. A license may keep seats for a group, or be only for it.",
        example=["design"],
    ),
    "InvitationBody.groups": Word(
        meaning="The groups that the user gets. null, or left out: none.", example=["design"]
    ),
    "MemberBody.groups": Word(meaning="The user's new groups. null, or left out: they stay.", example=["design"]),
    "MemberBody.is_active": Word(
        meaning="false: the user gets no seat, and sessions end. null, or left out: it stays.", example=False
    ),
    "MemberView.is_active": Word(
        meaning="Whether the user may hold seats. null: the user's document cannot be used.", example=True
    ),
    "invitation": Word(meaning="The invitation."),
    "invitations": Word(meaning="The open invitations, on the first page only. Otherwise empty."),
    "invitation_id": Word(
        meaning="The invitation's id: the SHA-256 of the address in small letters, in hexadecimal.",
        example=invitation_id_of("ada@northwind.example"),
    ),
    "invited_by": Word(meaning="The uid of the owner or admin who invited the person last.", example="olivia"),
    "InvitationView.created_at": Word(meaning="When the invitation was made or renewed.", example=_AT),
    "InvitationView.expires_at": Word(
        meaning="Until when the person can join.", example=rfc3339(AT + timedelta(days=14))
    ),
    "join_path": Word(
        meaning="The path of the page on which the person joins, on the service's own domain.",
        example="/join?org=northwind",
    ),
    "JoinBody.organization_id": Word(
        meaning="The organization to join. null, or left out: the one that is open to the person.",
        example="northwind",
    ),
    "organization_name": Word(meaning="The organization's name that people see.", example="Northwind"),
    "joined": Word(meaning="Always true: the person is a user of the organization.", example=True),
    "member": Word(meaning="The user after the change."),
    "members": Word(meaning="The users on this page, in the order of their ids."),
    "MemberView.created_at": Word(meaning="When the organization listed the user.", example=_AT),
    "MemberView.misconfigured_fields": Word(
        meaning="Fields of the user's document that an admin must correct.", example=[]
    ),
    "seats_in_use": Word(meaning="How many seats the user holds.", example=1),
    "last_seat_at": Word(
        meaning="When the user last took a seat, as far as sessions are kept. null: never.", example=_STARTED
    ),
    "denied_30_days": Word(
        meaning="In how many minutes of the last 30 days the user got no seat of a license because a cap was reached.",
        example=2,
    ),
    "InvitationLimitDetails.max": Word(meaning="How many invitations may be open.", example=200),
    "MembersAnswer.next_page_token": Word(
        meaning="`page_token` of the next page. null: this is the last page.", example="ada"
    ),
    "error": Word(meaning="What went wrong."),
    "code": Word(meaning="What went wrong, for programs. A code always has the same status.", example="INTERNAL"),
    "message": Word(
        meaning="What went wrong, in sentences that a program may show to its user. Their wording may change.",
        example="The license has expired. Please talk to your administrator.",
    ),
    "retryable": Word(meaning="Whether the same request may succeed later without any change.", example=True),
    "request_id": Word(
        meaning="The request's id, as in the header `X-Request-Id`. With it the request is found in the logs.",
        example="d6b5dcd105544a60b7e0856ec7377d34",
    ),
    "step": Word(meaning="Which step of a sign-in this is.", example="begin"),
    "LookAtSignIn.step": Word(meaning="A person looks at the sign-in.", example="look"),
    "DecideSignIn.step": Word(meaning="What the person decides.", example="approve"),
    "ExchangeSignIn.step": Word(meaning="The device exchanges the sign-in.", example="exchange"),
    "code_challenge": Word(
        meaning="The SHA-256 of a random `code_verifier`, in base64url without padding (RFC 7636, S256).",
        example="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    ),
    "code_verifier": Word(
        meaning="The random text of which `begin` had the hash. It proves that this device began the sign-in.",
        example="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    ),
    "device_name": Word(meaning="The device's name for itself. The person sees it.", example="adas-laptop"),
    "loopback_port": Word(
        meaning="The port at 127.0.0.1 where the device waits for the browser on its own machine. null, or left out: "
        "the browser may be on another machine, and the person types the code.",
        example=49_152,
    ),
    "sign_in_id": Word(meaning="The id of the sign-in.", example=sign_in_id_of("BCDFGHJK")),
    "user_code": Word(
        meaning="The code that the device shows. Neither case, blanks nor hyphens count.", example="BCDF-GHJK"
    ),
    "LookAtSignIn.sign_in_id": Word(
        meaning="The id of the sign-in, from the page's address. Send either this or `user_code`.",
        example=sign_in_id_of("BCDFGHJK"),
    ),
    "LookAtSignIn.user_code": Word(
        meaning="The code that the person typed. Neither case, blanks nor hyphens count.", example=None
    ),
    "DecideSignIn.user_code": Word(
        meaning="The code that the person typed. It may be left out only if `needs_code` is false.", example="BCDF-GHJK"
    ),
    "ExchangeSignIn.code": Word(
        meaning="What the page took to `loopback_port`. null, or left out: the device has no such port.",
        example="nVkOq3Tz0mJ5rWc1uYhB8gQ2xL7dPa4eRt6yUi9oSfE",
    ),
    "verification_path": Word(
        meaning="Where a person decides, at the service's own address. Open no other.",
        example=f"/cli?sign_in={sign_in_id_of('BCDFGHJK')}",
    ),
    "expires_in_seconds": Word(meaning="How long the sign-in counts.", example=600),
    "poll_seconds": Word(meaning="How long a device without a port waits between two exchanges.", example=5),
    "LookAnswer.ip_address": Word(
        meaning="The IP address from which the device asked. null: it is not known, or not kept.",
        example="203.0.113.7",
    ),
    "same_address": Word(
        meaning="Whether the browser has the same IP address as the device. If not, the page warns.", example=True
    ),
    "LookAnswer.asked_at": Word(meaning="When the device asked.", example=_STARTED),
    "needs_code": Word(meaning="Whether the person must type the code.", example=False),
    "redirect_to": Word(
        meaning="Where the page goes then: the device's own address, with `code` or `error`, and the `sign_in_id` as "
        "`state`. null: nowhere.",
        example=f"http://127.0.0.1:49152/?code=nVkOq3Tz0mJ5rWc1uYhB8gQ2xL7dPa4eRt6yUi9oSfE&state="
        f"{sign_in_id_of('BCDFGHJK')}",
    ),
    "custom_token": Word(
        meaning="A custom token of Firebase. Sign in with it at once, at `accounts:signInWithCustomToken`.",
        example="eyJhbGciOiJSUzI1NiJ9.eyJ1aWQiOiJhZGEifQ.c2lnbmF0dXJl",
    ),
    "details": Word(meaning="More about the error, for programs. Its form depends on the code."),
    "fields": Word(meaning="The fields that are wrong.", example=["max_concurrent_seats"]),
    "field": Word(meaning="The field's name. A dot separates it from an inner field.", example="hardware_id"),
    "problem": Word(meaning="What is wrong with the field, for people.", example="Field required"),
    "max_bytes": Word(meaning="The most bytes of a body.", example=16384),
    "document": Word(meaning="Which document: organization, user, license or session.", example="license"),
    "retry_after_seconds": Word(
        meaning="In how many seconds to ask again: at most 60, because a user may give back a seat at any time.",
        example=60,
    ),
    "reason": Word(
        meaning="Why the session was revoked. null: an admin ended it by hand.",
        example=EndReason.REVOKED_BY_ADMIN.value,
    ),
}
"""By the field's name, or by model, dot and field if the field has another meaning in that model."""


def word(model: str, field: str) -> Word | None:
    """The meaning of a model's field; ``None`` if ``WORDS`` has none."""
    return WORDS.get(f"{model}.{field}", WORDS.get(field))
