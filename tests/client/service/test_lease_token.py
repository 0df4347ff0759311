"""A lease token proves what the service has signed, and nothing else proves anything."""

import hmac
import json
import traceback
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from seatlease._service.lease_token import CLOCK_LEEWAY, ProvenLease, verify
from seatlease.errors import ClockSetBack, LeaseNotProven
from tests.client.signing import GRACE, LEASE, NOW, TYPE, SigningKey, claims, seconds

_SECOND = timedelta(seconds=1)
_NO_FEATURES: list[object] = [None, [], "pro", 1, {"pro": None}, {"pro": []}, {"pro": {}}]
_NO_TIMES: list[object] = ["", 1.5, True, [], -(10**30)]
_KEY = SigningKey()
_KID = _KEY.jwk["kid"]


def _part(told: object) -> str:
    return urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()


def _proven(token: str, **other: Any) -> ProvenLease:  # noqa: ANN401 verify's arguments
    return verify(token, _KEY.keys, **{"now": NOW, **other})


def _refused(token: str, **other: Any) -> LeaseNotProven:  # noqa: ANN401 verify's arguments
    with pytest.raises(LeaseNotProven) as raised:
        _proven(token, **other)
    assert type(raised.value) is LeaseNotProven
    if len(token) > 20:
        assert token not in "".join(traceback.format_exception(raised.value))
    return raised.value


def test_a_token_of_the_service_proves_its_lease() -> None:
    proven = _proven(
        _KEY.sign(),
        hardware_id="device-1",
        license_key="KEY-1",
        license_id="license-1",
        user_id="user-1",
        organization_id="acme",
        issuer="seatlease/demo",
        not_before=NOW,
    )

    assert proven == ProvenLease(
        issuer="seatlease/demo",
        user_id="user-1",
        organization_id="acme",
        license_id="license-1",
        session_id="iokryylmrinyz47hiqsyd27hbn",
        hardware_sha256=sha256(b"device-1").hexdigest(),
        granted_at=NOW,
        lease_expires_at=NOW + LEASE,
        grace_ends_at=NOW + LEASE + GRACE,
        license_key_sha256=sha256(b"KEY-1").hexdigest(),
    )


@pytest.mark.parametrize("other", [{}, {"nonce": "n" * 15 + "m"}], ids=["none", "another one"])
def test_what_answers_another_request_proves_nothing(other: dict[str, str]) -> None:
    assert _proven(_KEY.sign(claims(nonce="n" * 16)), nonce="n" * 16).nonce == "n" * 16
    assert "recorded earlier" in str(_refused(_KEY.sign(claims(**other)), nonce="n" * 16))


def test_a_service_too_old_to_name_the_licenses_key_proves_a_lease_of_any_and_none_of_one() -> None:
    token = _KEY.sign(claims(license_key_sha256=...))

    assert _proven(token).license_key_sha256 is None
    assert "another license" in str(_refused(token, license_key="KEY-1"))


def test_a_token_proves_what_was_sold_and_when_the_license_ends() -> None:
    sold = {"edition": "pro", "export": True, "max_layers": 64, "scale": 1.5}

    proven = _proven(_KEY.sign(claims(features=sold, license_expires_at=seconds(NOW))))
    without_end = _proven(_KEY.sign(claims(features={}, license_expires_at=None)))
    of_an_old_service = _proven(_KEY.sign())

    assert (proven.features, proven.license_expires_at) == (sold, NOW)
    for lease in (without_end, of_an_old_service):
        assert (lease.features, lease.license_expires_at) == ({}, None)


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        *(("features", told) for told in _NO_FEATURES),
        *(("license_expires_at", told) for told in _NO_TIMES),
    ],
    ids=str,
)
def test_what_was_sold_has_to_be_of_its_kind(claim: str, told: object) -> None:
    _refused(_KEY.sign(claims(**{claim: told})))


@pytest.mark.parametrize(
    ("wanted", "match"),
    [
        ({"hardware_id": "device-2"}, "another device"),
        ({"hardware_id": ""}, "another device"),
        ({"license_id": "license-2"}, "another license"),
        ({"license_key": "KEY-2"}, "another license"),
        ({"license_key": ""}, "another license"),
        ({"user_id": "user-2"}, "another user"),
        ({"organization_id": "other"}, "another organization"),
        ({"issuer": "seatlease/other"}, "another license service"),
    ],
)
def test_a_lease_for_something_else_proves_nothing(wanted: dict[str, str], match: str) -> None:
    assert match in str(_refused(_KEY.sign(), **wanted))


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (NOW, "live"),
        (NOW + LEASE - _SECOND, "live"),
        (NOW + LEASE, "in grace"),
        (NOW + LEASE + GRACE - _SECOND, "in grace"),
    ],
)
def test_a_lease_is_live_until_it_expires_and_in_grace_from_then_on(at: datetime, state: str) -> None:
    proven = _proven(_KEY.sign(), now=at)

    assert (proven.is_live(at), proven.in_grace(at)) == (state == "live", state == "in grace")


def test_at_the_end_of_its_grace_a_lease_is_over() -> None:
    proven = _proven(_KEY.sign())
    end = NOW + LEASE + GRACE

    assert not proven.is_live(end)
    assert not proven.in_grace(end)
    assert "over" in str(_refused(_KEY.sign(), now=end))


def test_without_grace_a_lease_is_over_when_it_expires() -> None:
    end = seconds(NOW + LEASE)
    token = _KEY.sign(claims(exp=end, grace_ends_at=end))

    assert _proven(token, now=NOW + LEASE - _SECOND).is_live(NOW + LEASE - _SECOND)
    _refused(token, now=NOW + LEASE)


def test_a_clock_may_be_behind_the_services_by_the_leeway_and_no_more() -> None:
    assert _proven(_KEY.sign(), now=NOW - CLOCK_LEEWAY).is_live(NOW - CLOCK_LEEWAY)
    with pytest.raises(ClockSetBack):
        _proven(_KEY.sign(), now=NOW - CLOCK_LEEWAY - _SECOND)


def test_a_clock_that_shows_less_than_was_seen_before_was_set_back() -> None:
    seen = NOW + timedelta(hours=1)

    assert _proven(_KEY.sign(), now=seen - CLOCK_LEEWAY, not_before=seen)
    with pytest.raises(ClockSetBack):
        _proven(_KEY.sign(), now=seen - CLOCK_LEEWAY - _SECOND, not_before=seen)


def test_the_machines_clock_counts_when_no_time_is_given() -> None:
    began = datetime.now(NOW.tzinfo)
    told = claims(iat=seconds(began), lease_expires_at=seconds(began + LEASE))
    token = _KEY.sign({**told, "exp": seconds(began + GRACE), "grace_ends_at": seconds(began + GRACE)})

    assert verify(token, _KEY.keys).is_live(began)
    with pytest.raises(LeaseNotProven, match="over"):
        verify(_KEY.sign(claims(iat=1, lease_expires_at=2, grace_ends_at=3, exp=3)), _KEY.keys)


def _hmac_with_the_public_key(key: bytes) -> str:
    signed = f"{_part({'alg': 'HS256', 'kid': _KID, 'typ': TYPE})}.{_part(claims())}"
    return f"{signed}.{urlsafe_b64encode(hmac.new(key, signed.encode(), sha256).digest()).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(_hmac_with_the_public_key(_KEY.raw), id="HS256 under the raw public key"),
        pytest.param(
            _hmac_with_the_public_key(
                _KEY.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            ),
            id="HS256 under the public key's PEM",
        ),
        pytest.param(_hmac_with_the_public_key(_KEY.jwk["x"].encode()), id="HS256 under the JWK's x"),
        pytest.param(f"{_part({'alg': 'none', 'kid': _KID, 'typ': TYPE})}.{_part(claims())}.", id="none"),
        pytest.param(f"{_part({'alg': 'None', 'kid': _KID, 'typ': TYPE})}.{_part(claims())}.", id="None"),
        pytest.param(f"{_part({'kid': _KID, 'typ': TYPE})}.{_part(claims())}.", id="no alg"),
        pytest.param(
            jwt.encode(
                claims(),
                rsa.generate_private_key(public_exponent=65537, key_size=2048),
                algorithm="RS256",
                headers={"kid": _KID, "typ": TYPE},
            ),
            id="RS256",
        ),
        pytest.param(
            jwt.encode(
                claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": _KID, "typ": TYPE}
            ),
            id="ES256",
        ),
        pytest.param(
            jwt.encode(claims(), Ed448PrivateKey.generate(), algorithm="EdDSA", headers={"kid": _KID, "typ": TYPE}),
            id="Ed448",
        ),
        pytest.param(SigningKey().sign(kid=_KID), id="another key under this kid"),
        pytest.param(SigningKey().sign(jwk=SigningKey().jwk, kid=_KID), id="a key brought along"),
        pytest.param(SigningKey().sign(), id="another key"),
        pytest.param(_KEY.sign(kid="unknown"), id="unknown kid"),
        pytest.param(jwt.encode(claims(), _KEY.private, algorithm="EdDSA", headers={"typ": TYPE}), id="no kid"),
        pytest.param(_KEY.sign(typ="JWT"), id="typ JWT"),
        pytest.param(_KEY.sign(typ="at+jwt"), id="typ of an access token"),
        pytest.param(
            jwt.encode(claims(), _KEY.private, algorithm="EdDSA", headers={"kid": _KID, "typ": None}), id="no typ"
        ),
        pytest.param(_KEY.sign(crit=["new"], new=True), id="critical header unknown"),
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="no base64"),
        pytest.param("..", id="dots"),
        pytest.param("ключ.ключ.ключ", id="not ASCII"),
        pytest.param(f"{_part([])}.{_part(claims())}.", id="header no object"),
        pytest.param(f"{_part({'alg': 'EdDSA', 'kid': {}, 'typ': TYPE})}.{_part({})}.", id="kid no text"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_what_the_service_did_not_sign_proves_nothing(token: str) -> None:
    assert "signed" in str(_refused(token))


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_with_any_part_changed_proves_nothing(part: int) -> None:
    parts = _KEY.sign().split(".")
    raw = bytearray(urlsafe_b64decode(parts[part] + "=="))
    raw[len(raw) // 2] ^= 1
    parts[part] = urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()

    _refused(".".join(parts))


@pytest.mark.parametrize("name", sorted({*claims(), "nonce"}))
def test_each_claim_has_to_be_there_and_of_its_kind(name: str) -> None:
    may_be_missing = name in {"license_key_sha256", "nonce"}
    values: list[object] = [*([] if may_be_missing else [...]), None, "", 1.5, True, [], {}, -(10**30)]
    for value in values:
        _refused(_KEY.sign(claims(**{name: value})))


@pytest.mark.parametrize(
    "other",
    [
        {"aud": "seatlease"},
        {"aud": ["seatlease", "other"]},
        {"iss": "https://elsewhere.example"},
        {"iss": "seatlease"},
        {"exp": seconds(NOW + LEASE + GRACE) + 1},
        {"lease_expires_at": seconds(NOW) - 1},
        {"lease_expires_at": seconds(NOW + LEASE + GRACE) + 1},
        {"exp": 10**15, "grace_ends_at": 10**15},
    ],
)
def test_claims_that_the_service_would_not_make_prove_nothing(other: dict[str, Any]) -> None:
    _refused(_KEY.sign(claims(**other)))


def test_claims_that_the_service_adds_later_are_no_harm() -> None:
    assert _proven(_KEY.sign(claims(plan="pro", jti="1", nbf=seconds(NOW))))
