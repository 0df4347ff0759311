"""Lease token: the service's signed proof of a lease, verified offline.

Every answer that grants a lease carries one: a JWT (RFC 7519) signed with Ed25519 (RFC 8037). With the service's public
keys in the program, only the service can grant a seat. A program that starts offline can go on with the lease it had,
until its grace ends.

Only here the machine's own clock counts, because offline there is no other. A clock that was set back is noticed
(``ClockSetBack``), unless it was set back by less than the time since the program's last start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import jwt
from jwt.types import Options

from seatlease._service.answers import features_of
from seatlease._service.keys import Keys
from seatlease._service.license_key import given_key
from seatlease.errors import ClockSetBack, LeaseNotProven
from seatlease.lease import Feature

__all__ = ["CLOCK_LEEWAY", "Keys", "ProvenLease", "verify"]

CLOCK_LEEWAY = timedelta(minutes=5)
"""How far a machine's clock may be behind the service's."""

_TYPE = "seatlease-lease+jwt"
_ISSUERS = "seatlease/"
_NOT_OF_THE_SERVICE = "The lease was not signed by the license service."
_KEY_NOT_KNOWN = "The lease was signed with a key that this program does not know. Please connect to the network."
_NOT_FRESH = "The answer was recorded earlier, or the license service is too old for this program."


@dataclass(frozen=True, kw_only=True)
class ProvenLease:
    """A lease as the service granted it at ``granted_at``. Only the service knows what happened to it since.

    Times are aware, in UTC, by the service's clock, in whole seconds. ``nonce`` is the request's, if it had one.
    ``features`` are what the vendor sold, and ``license_expires_at`` is when the license ends (``None``: never). A
    service that was too old to say it gives none, and ``None``, as for ``license_key_sha256``. A lease that
    ``is_borrowed`` was given for a device without a connection, and has no grace.

    ::

        |  is_live: holds its seat  |  in_grace: seat free, may work on offline  |  over
    granted_at               lease_expires_at                              grace_ends_at
    """

    issuer: str
    user_id: str
    organization_id: str
    license_id: str
    session_id: str
    hardware_sha256: str
    granted_at: datetime
    lease_expires_at: datetime
    grace_ends_at: datetime
    license_key_sha256: str | None = None
    nonce: str | None = None
    features: Mapping[str, Feature] = field(default_factory=dict, hash=False)
    license_expires_at: datetime | None = None
    is_borrowed: bool = False

    def is_live(self, now: datetime) -> bool:
        """Whether the lease holds its seat at this time, if it was not ended early."""
        return now < self.lease_expires_at

    def in_grace(self, now: datetime) -> bool:
        """Whether the lease has run out at this time and its grace has not."""
        return self.lease_expires_at <= now < self.grace_ends_at


def verify(  # noqa: PLR0913 what a lease may have to be for, each by its name
    lease_token: str,
    keys: Keys,
    *,
    hardware_id: str | None = None,
    license_key: str | None = None,
    license_id: str | None = None,
    user_id: str | None = None,
    organization_id: str | None = None,
    issuer: str | None = None,
    nonce: str | None = None,
    now: datetime | None = None,
    not_before: datetime | None = None,
) -> ProvenLease:
    """Prove that the service signed the lease for all of these (``None``: any) and that its grace still runs.

    Without ``hardware_id``, a token copied from another device is proven too. Without ``license_key``, one for another
    license of the user is. With the ``nonce`` of a request, only the answer to that request is proven. By default,
    ``now`` is the machine's clock. ``not_before`` is the latest time that the program has seen on that clock.

    Raises:
        LeaseNotProven: the service did not sign it, it is for something else, it answers another request, or it is
            over.
        ClockSetBack: ``now`` is more than ``CLOCK_LEEWAY`` before the lease was granted, or before ``not_before``.
    """
    lease = _read(_signed_claims(lease_token, keys))
    if nonce is not None and lease.nonce != nonce:
        raise LeaseNotProven(_NOT_FRESH)
    _must_be_for(lease.license_key_sha256, None if license_key is None else _sha256(given_key(license_key)), "license")
    _must_be_for(lease.license_id, license_id, "license")
    _must_be_for(lease.user_id, user_id, "user")
    _must_be_for(lease.organization_id, organization_id, "organization")
    _must_be_for(lease.issuer, issuer, "license service")
    _must_be_for(lease.hardware_sha256, _sha256(hardware_id), "device")

    at = datetime.now(timezone.utc) if now is None else now
    latest_known = lease.granted_at if not_before is None else max(lease.granted_at, not_before)
    if at < latest_known - CLOCK_LEEWAY:
        message = "This machine's clock is behind. Please set it right, or connect to the network."
        raise ClockSetBack(message)
    if at >= lease.grace_ends_at:
        message = "The lease is over. Please connect to the network."
        raise LeaseNotProven(message)
    return lease


def _signed_claims(lease_token: str, keys: Keys) -> dict[str, Any]:
    options: Options = {
        # Times are compared by verify, at the time that it is given. An audience is refused: leases have none.
        "verify_exp": False,
        "verify_iat": False,
        "verify_nbf": False,
        "verify_aud": True,
    }
    try:
        header = jwt.get_unverified_header(lease_token)
        key = keys.named(header.get("kid"))
        if header.get("typ") == _TYPE:
            if key is None:
                raise LeaseNotProven(_KEY_NOT_KNOWN)
            return jwt.decode(lease_token, key, algorithms=["EdDSA"], options=options)
    except (jwt.PyJWTError, ValueError, RecursionError):
        # Not chained: the parser's error may hold the token.
        pass
    raise LeaseNotProven(_NOT_OF_THE_SERVICE)


def _read(claims: Mapping[str, Any]) -> ProvenLease:
    ends = claims.get("license_expires_at")
    lease = ProvenLease(
        issuer=_text(claims.get("iss")),
        user_id=_text(claims.get("sub")),
        organization_id=_text(claims.get("organization_id")),
        license_id=_text(claims.get("license_id")),
        session_id=_text(claims.get("session_id")),
        hardware_sha256=_text(claims.get("hardware_sha256")),
        granted_at=_time(claims.get("iat")),
        lease_expires_at=_time(claims.get("lease_expires_at")),
        grace_ends_at=_time(claims.get("grace_ends_at")),
        features=_features(claims.get("features", {})),
        license_expires_at=None if ends is None else _time(ends),
        is_borrowed=_yes_or_no(claims.get("borrowed", False)),
        **{name: _text(claims[name]) for name in ("license_key_sha256", "nonce") if name in claims},
    )
    is_in_order = lease.granted_at <= lease.lease_expires_at <= lease.grace_ends_at == _time(claims.get("exp"))
    if not is_in_order or not lease.issuer.startswith(_ISSUERS):
        raise LeaseNotProven(_NOT_OF_THE_SERVICE)
    return lease


def _text(told: object) -> str:
    if isinstance(told, str) and told:
        return told
    raise LeaseNotProven(_NOT_OF_THE_SERVICE)


def _yes_or_no(told: object) -> bool:
    if isinstance(told, bool):
        return told
    raise LeaseNotProven(_NOT_OF_THE_SERVICE)


def _features(told: object) -> Mapping[str, Feature]:
    try:
        return features_of(told)
    except ValueError:
        raise LeaseNotProven(_NOT_OF_THE_SERVICE) from None


def _time(told: object) -> datetime:
    # A yes is an int to Python, and no time.
    if isinstance(told, int) and not isinstance(told, bool):
        try:
            return datetime.fromtimestamp(told, timezone.utc)
        except (ValueError, OverflowError, OSError):
            pass  # a year that there is none of
    raise LeaseNotProven(_NOT_OF_THE_SERVICE)


def _sha256(text: str | None) -> str | None:
    return None if text is None else sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _must_be_for(told: str | None, wanted: str | None, what: str) -> None:
    if wanted is not None and told != wanted:
        message = f"The lease is for another {what}."
        raise LeaseNotProven(message)
