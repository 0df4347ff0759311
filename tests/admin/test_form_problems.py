"""What an admin is told of a field: what is there, what should be, and what was probably meant."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.admin.form_problems import expectations, form_problems, found
from shared.documents.forms import Form, LicenseDocument, OrganizationDocument, SessionDocument, UserDocument
from shared.firestore.values import Opaque
from shared.rules.review import Level

OURS = ("created_at", "updated_at", "problems")
KEY = {"license_key": "K"}


@pytest.mark.parametrize("form", [OrganizationDocument, UserDocument, LicenseDocument, SessionDocument])
def test_every_field_of_a_form_has_its_words(form: type[Form]) -> None:
    words = expectations(form)

    assert words.keys() == form.model_fields.keys()
    assert all(words.values())


@pytest.mark.parametrize(
    ("form", "fields", "field", "there", "should_be"),
    [
        (LicenseDocument, {"max_concurrent_seats": "20"}, "max_concurrent_seats", 'the text "20"', "a whole number"),
        (LicenseDocument, {"max_concurrent_seats": -1}, "max_concurrent_seats", "the number -1", "0 or more"),
        (LicenseDocument, {"max_concurrent_seats": None}, "max_concurrent_seats", "null", "a whole number"),
        (LicenseDocument, {"lease_seconds": 1}, "lease_seconds", "the number 1", "from 3 to 86400"),
        (LicenseDocument, {"grace_seconds": -1}, "grace_seconds", "the number -1", "from 0 to 2592000"),
        (LicenseDocument, {"expires_at": "2030-01-01"}, "expires_at", 'the text "2030-01-01"', "type timestamp"),
        (LicenseDocument, {"license_key": 5}, "license_key", "the number 5", "one line of text, 1 to 256"),
        (OrganizationDocument, {"is_active": "yes"}, "is_active", 'the text "yes"', "true or false"),
        (OrganizationDocument, {"max_concurrent_seats": 2.5}, "max_concurrent_seats", "the number 2.5", "or null"),
        (UserDocument, {"role": "Boss"}, "role", 'the text "Boss"', "one of owner, admin, member, guest"),
        (UserDocument, {"email": []}, "email", "an array", "text"),
    ],
)
def test_a_field_of_the_wrong_form_is_an_error(
    form: type[Form], fields: Mapping[str, Any], field: str, there: str, should_be: str
) -> None:
    (problem,) = form_problems(form, {**(KEY if form is LicenseDocument else {}), **fields}, written_by_us=OURS)

    assert (problem.field, problem.level, problem.found) == (field, Level.ERROR, there)
    assert should_be in problem.expected


def test_what_is_missing_is_no_misfit() -> None:
    assert form_problems(LicenseDocument, {}, written_by_us=OURS) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("max_concurent_seats", "max_concurrent_seats"),
        ("maxConcurrentSeats", "max_concurrent_seats"),
        ("seats", "max_concurrent_seats"),
        ("max seats", "max_concurrent_seats"),
        ("isActive", "is_active"),
        ("active", "is_active"),
        ("licence_key", "license_key"),
        ("key", "license_key"),
        ("expires", "expires_at"),
        ("Expires_At", "expires_at"),
        ("problem", "problems"),
        ("expiry_date", "expires_at"),
        ("expiry", "expires_at"),
        ("valid_until", "expires_at"),
        ("validUntil", "expires_at"),
        ("end_date", "expires_at"),
        ("enabled", "is_active"),
        ("limit", "max_concurrent_seats"),
        ("title", "name"),
        ("lease_minutes", "lease_seconds"),
    ],
)
def test_a_name_that_looks_like_a_slip_is_a_notice_that_says_what_was_meant(name: str, meant: str) -> None:
    (problem,) = form_problems(LicenseDocument, {**KEY, name: 5}, written_by_us=OURS)

    assert (problem.field, problem.level) == (name, Level.NOTICE)
    assert problem.expected.startswith(f"{meant},")


@pytest.mark.parametrize("name", ["crm_number", "contact", "comment", "x", "價格", "", "_", "12"])
def test_a_field_of_the_admins_own_is_a_notice_that_it_does_nothing(name: str) -> None:
    (problem,) = form_problems(LicenseDocument, {**KEY, name: 5}, written_by_us=OURS)

    assert (problem.field, problem.level) == (name, Level.NOTICE)
    assert problem.expected == "nothing, or a note of your own: it does no harm"


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("trial", "trial"),
    ],
)
def test_what_seatlease_does_not_have_is_said_so(name: str, lacking: str) -> None:
    (problem,) = form_problems(LicenseDocument, {**KEY, name: 5}, written_by_us=OURS)

    assert problem.expected.startswith("nothing: ")
    assert lacking in problem.expected


@pytest.mark.parametrize(("name", "meant"), [("is_admin", "role"), ("mail", "email"), ("Role", "role")])
def test_words_for_users_are_understood(name: str, meant: str) -> None:
    (problem,) = form_problems(UserDocument, {name: 5}, written_by_us=OURS)

    assert problem.expected.startswith(f"{meant},")


@pytest.mark.parametrize("name", OURS)
def test_a_field_that_the_functions_write_is_no_slip(name: str) -> None:
    assert form_problems(LicenseDocument, {**KEY, name: 5}, written_by_us=OURS) == []


@pytest.mark.parametrize("role", ["Owner", "OWNER", " owner "])
def test_a_role_is_taken_in_any_letters(role: str) -> None:
    assert form_problems(UserDocument, {"role": role}, written_by_us=OURS) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (3, "the number 3"),
        (float("nan"), "the number nan"),
        ("", 'the text ""'),
        ("x" * 100, f'the text "{"x" * 60}…"'),
        (datetime(2026, 3, 2, 9, 0, tzinfo=UTC), "the time 2026-03-02 09:00:00 UTC"),
        (Opaque("geo_point_value"), "a geopoint"),
        (Opaque("bytes_value"), "bytes"),
        (Opaque("reference_value"), "a reference to a document"),
        (Opaque("vector_value"), "a value of another type"),
        ({}, "a map"),
        ([], "an array"),
    ],
)
def test_every_kind_of_value_has_its_words(value: object, words: str) -> None:
    assert found(value) == words
