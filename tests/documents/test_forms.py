"""What a document of the vendor may hold of a license's terms; all else is a problem that its admin sees."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.documents.forms import MAX_FEATURES_BYTES, LicenseDocument, SessionDocument, UserDocument


def _is_taken(form: type[LicenseDocument | UserDocument], **fields: Any) -> bool:  # noqa: ANN401 a document holds anything
    named = {"license_key": "K"} if form is LicenseDocument else {"email": "ann@acme.example", "role": "member"}
    try:
        form.model_validate({**named, **fields})
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("group", "is_one"),
    [
        ("design", True),
        ("3d_team-2", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("", False),
        (" Design", True),
        ("design team", False),
        ("design\nteam", False),
        ("-design", False),
        ("dé", False),
        (7, False),
        (None, False),
    ],
)
def test_a_group_is_the_same_wherever_it_is_named(group: object, *, is_one: bool) -> None:
    taken = {
        _is_taken(UserDocument, groups=[group]),
        _is_taken(LicenseDocument, allowed_groups=[group]),
        _is_taken(LicenseDocument, reservations={group: 1}),
    }

    assert taken == {is_one}


@pytest.mark.parametrize("pool", ["design\n", "Design", ""])
def test_the_pool_of_a_session_is_a_group(pool: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SessionDocument.model_validate({"pool": pool})

    assert ("pool",) in {each["loc"] for each in refused.value.errors()}


@pytest.mark.parametrize(
    ("fields", "is_taken"),
    [
        ({"reservations": {"design": 1}}, True),
        ({"reservations": {"design": 0}}, False),
        ({"reservations": {"design": True}}, False),
        ({"reservations": {"design": 1.0}}, False),
        ({"reservations": None}, False),
        ({"reservations": {f"g{number}": 1 for number in range(20)}}, True),
        ({"reservations": {f"g{number}": 1 for number in range(21)}}, False),
        ({"max_devices_per_user": 0}, False),
        ({"overdraft_seats": 0}, True),
        ({"overdraft_seats": -1}, False),
        ({"idle_seconds": 59}, False),
        ({"idle_seconds": 60}, True),
        ({"idle_seconds": 86_401}, False),
        ({"features": {"edition": "pro", "export": True, "layers": 64, "scale": 1.5}}, True),
        ({"features": {"edition": None}}, False),
        ({"features": {"edition": ["pro"]}}, False),
        ({"features": {"scale": float("nan")}}, False),
        ({"features": {f"f{number}": 1 for number in range(51)}}, False),
        ({"features": {"a": "x" * (MAX_FEATURES_BYTES - 8)}}, True),
        ({"features": {"a": "x" * (MAX_FEATURES_BYTES - 7)}}, False),
        ({"features": {"a": "é" * (MAX_FEATURES_BYTES // 2)}}, False),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_term_has_its_type_and_its_limits(fields: dict[str, Any], *, is_taken: bool) -> None:
    assert _is_taken(LicenseDocument, **fields) is is_taken
