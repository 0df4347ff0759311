"""What each field of the contract means, with its unit, and an example of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.documents.rfc3339 import rfc3339
from shared.edge.public_keys import thumbprint
from shared.rules.session import EndReason, session_id_of

AT = datetime(2026, 3, 2, 9, 14, 7, 250_000, tzinfo=UTC)
"""The time of all examples."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A field's meaning and an example of its value; of fields that hold other fields the example is theirs."""

    meaning: str
    example: Any = None


_AT, _LEASE_ENDS, _STARTED = rfc3339(AT), rfc3339(AT + timedelta(minutes=6)), rfc3339(AT - timedelta(hours=2))
_GRACE_ENDS = rfc3339(AT + timedelta(minutes=36))
_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
"""The public key of RFC 8037's example, appendix A.2."""
_LEASE_TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJzZWF0bGVhc2UvYWNtZSJ9.c2lnbmF0dXJl"  # noqa: S105 signed by nobody
_SESSION_ID = session_id_of(license_id="license-1", user_id="ada", hardware_id="adas-laptop")

WORDS: Mapping[str, Word] = {
    "license_key": Word(meaning="The license's key, as its admin gave it to the client.", example="ACME-DESIGN-STUDIO"),
    "hardware_id": Word(
        meaning="The device, in the client's own words; always the same on the same device.", example="adas-laptop"
    ),
    "session_id": Word(meaning="The session: this user on this device holding a seat.", example=_SESSION_ID),
    "license_id": Word(meaning="The license's id in the organization.", example="license-1"),
    "user_id": Word(meaning="The user's uid in Firebase Authentication.", example="ada"),
    "user_email": Word(meaning="The user's e-mail address.", example="ada@northwind.example"),
    "ip_address": Word(meaning="Where the seat was taken from, as the platform saw it.", example="203.0.113.7"),
    "user_agent": Word(meaning="What the client called itself when it took the seat.", example="cad/4.2"),
    "started_at": Word(meaning="When the seat was taken.", example=_STARTED),
    "last_heartbeat_at": Word(meaning="When the lease last started anew.", example=_AT),
    "lease_expires_at": Word(
        meaning="The lease's end: the seat is free from then on unless a heartbeat came before.", example=_LEASE_ENDS
    ),
    "grace_ends_at": Word(
        meaning="Until when a program that cannot reach the service may go on working; the seat is free from the "
        "lease's end on. The same instant where the license gives no grace.",
        example=_GRACE_ENDS,
    ),
    "lease_token": Word(
        meaning="A JWT (EdDSA) that proves this lease offline, with the public keys that `keys` answers. Claims, times "
        "in whole seconds: `iss`, `sub` (the user), `iat`, `exp` (the end of the grace), `organization_id`, "
        "`license_id`, `session_id`, `hardware_sha256`, `lease_expires_at`, `grace_ends_at`.",
        example=_LEASE_TOKEN,
    ),
    "keys": Word(meaning="The keys."),
    "kty": Word(meaning="The kind of key.", example="OKP"),
    "crv": Word(meaning="Its curve.", example="Ed25519"),
    "x": Word(meaning="The public key itself, base64url.", example=_X),
    "kid": Word(meaning="Its name in a token's header: its thumbprint (RFC 7638).", example=thumbprint(_X)),
    "use": Word(meaning="What it is for: signatures.", example="sig"),
    "alg": Word(meaning="The signatures' algorithm.", example="EdDSA"),
    "heartbeat_interval_seconds": Word(
        meaning="In seconds: when to send the next heartbeat, a third of the lease or up to a tenth sooner.",
        example=114,
    ),
    "seats": Word(meaning="The seats of the license after this decision."),
    "in_use": Word(meaning="Seats in use at the answer's time.", example=3),
    "max": Word(meaning="The cap: how many seats may be in use at a time.", example=20),
    "LicenseView.max": Word(meaning="The license's cap; null when its document cannot be used.", example=20),
    "OrganizationView.max": Word(
        meaning="The cap of all licenses together; null: only the licenses' own caps count.", example=40
    ),
    "share": Word(
        meaning="`in_use` of `max`, 1 being all, rounded to four digits; null without a cap or with one of 0.",
        example=0.15,
    ),
    "renewed": Word(meaning="Whether this user on this device held the seat already.", example=False),
    "server_time": Word(
        meaning="The instant of the decision, by the database's clock; by the function's where that was not asked.",
        example=_AT,
    ),
    "organization": Word(meaning="The caller's organization."),
    "organization_id": Word(meaning="The organization's id.", example="northwind"),
    "name": Word(meaning="Its name, for people.", example="Northwind"),
    "LicenseView.name": Word(
        meaning="Its name, for people; null when it has none or its document cannot be used.", example="Design Studio"
    ),
    "licenses": Word(meaning="Every license of the organization, or the one that was asked for."),
    "earliest_expiry_at": Word(
        meaning="When the first lease ends if no heartbeat comes, so the latest time at which that seat falls free "
        "by itself; null when no seat is in use.",
        example=_LEASE_ENDS,
    ),
    "misconfigured_fields": Word(meaning="Fields of its document that an admin has to mend.", example=[]),
    "last_24_hours": Word(meaning="The last 24 hours, for owners and admins and on the first page only; else null."),
    "sessions": Word(meaning="The live sessions on this page that the caller may see, longest first."),
    "peak_in_use": Word(meaning="The most seats in use at a time.", example=17),
    "denied_users": Word(meaning="How many users were refused for want of a seat.", example=2),
    "denied_attempts": Word(meaning="How often they were refused.", example=9),
    "page_size": Word(meaning="How many sessions a page has at most.", example=100),
    "page_token": Word(
        meaning="Where the page begins: `next_page_token` of the page before, as it was given.", example=_SESSION_ID
    ),
    "next_page_token": Word(meaning="The next page's `page_token`; null: this is the last one.", example=_SESSION_ID),
    "error": Word(meaning="What went wrong."),
    "code": Word(meaning="What went wrong, for programs. A code has always the same status.", example="INTERNAL"),
    "message": Word(
        meaning="What went wrong, for people. Its wording may change.", example="something went wrong on our side"
    ),
    "retryable": Word(
        meaning="Whether the same request may succeed later without anybody changing anything.", example=True
    ),
    "request_id": Word(
        meaning="The request's id, as in the header `X-Request-Id`: it finds the request in the logs.",
        example="d6b5dcd105544a60b7e0856ec7377d34",
    ),
    "details": Word(meaning="What else a program needs to know; depends on the code."),
    "fields": Word(meaning="The fields.", example=["max_concurrent_seats"]),
    "field": Word(meaning="The field's name; inner ones behind dots.", example="hardware_id"),
    "problem": Word(meaning="What is wrong with it, for people.", example="Field required"),
    "max_bytes": Word(meaning="How long a body may be, in bytes.", example=16384),
    "document": Word(meaning="Which document: organization, user, license or session.", example="license"),
    "retry_after_seconds": Word(
        meaning="In seconds: when to ask again, at most 60, because a seat may be given back any time.", example=60
    ),
    "reason": Word(
        meaning="Why it was ended; null: by hand, and nobody said why.", example=EndReason.REVOKED_BY_ADMIN.value
    ),
}
"""By the field's name; behind its model's name and a dot where the field means something else there."""


def word(model: str, field: str) -> Word | None:
    """Find what a field of a model means, or ``None`` when nobody has written it down."""
    return WORDS.get(f"{model}.{field}", WORDS.get(field))
