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
        (UserDocument, {"groups": "design"}, "groups", 'the text "design"', "a list of at most 20 groups"),
        (UserDocument, {"groups": ["ok", "A B", 3]}, "groups", 'the entry the text "A B", and 1 more', "small letters"),
        (UserDocument, {"groups": ["g"] * 21}, "groups", "an array with 21 entries", "at most 20"),
        (LicenseDocument, {"features": ["pro"]}, "features", "an array", "type map"),
        (LicenseDocument, {"features": {"pro": None}}, "features", 'the entry "pro" with null', "true or false"),
        (LicenseDocument, {"features": {"a": 1, "b": {}}}, "features", 'the entry "b" with a map', "a text, a number"),
        (
            LicenseDocument,
            {"features": {"a": float("inf")}},
            "features",
            'the entry "a" with the number inf',
            "a number",
        ),
        (LicenseDocument, {"features": {"a": "x" * 4089}}, "features", "a map with 4097 bytes as JSON", "at most 4096"),
        (
            LicenseDocument,
            {"features": {str(number): 1 for number in range(51)}},
            "features",
            "a map with 51 entries",
            "at most 50",
        ),
        (LicenseDocument, {"features": None}, "features", "null", "remove the field: its default counts then"),
        (LicenseDocument, {"reservations": {"A B": 1}}, "reservations", 'the entry "A B" with the number 1', "small"),
        (LicenseDocument, {"reservations": {"a": "2"}}, "reservations", 'the entry "a" with the text "2"', "1 or more"),
        (LicenseDocument, {"reservations": {"a": 0}}, "reservations", 'the entry "a" with the number 0', "1 or more"),
        (
            LicenseDocument,
            {"reservations": {"a": 2, " A": 1}},
            "reservations",
            "a map with two entries for the group a",
            "map",
        ),
        (LicenseDocument, {"allowed_groups": [None]}, "allowed_groups", "the entry null", "or null"),
        (LicenseDocument, {"max_devices_per_user": 0}, "max_devices_per_user", "the number 0", "1 or more"),
        (LicenseDocument, {"overdraft_seats": None}, "overdraft_seats", "null", "remove the field"),
        (LicenseDocument, {"idle_seconds": 30}, "idle_seconds", "the number 30", "from 60 to 86400"),
        (LicenseDocument, {"starts_at": "today"}, "starts_at", 'the text "today"', "type timestamp"),
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
        ("heartbeat_timeout", "lease_seconds"),
        ("valid_from", "starts_at"),
        ("startDate", "starts_at"),
        ("feature", "features"),
        ("entitlements", "features"),
        ("edition", "features"),
        ("reserved_seats", "reservations"),
        ("reserved_for_group", "reservations"),
        ("overage", "overdraft_seats"),
        ("soft_limit", "overdraft_seats"),
        ("max_seats_per_user", "max_devices_per_user"),
        ("maxDevices", "max_devices_per_user"),
        ("device_limit", "max_devices_per_user"),
        ("group", "allowed_groups"),
        ("teams", "allowed_groups"),
        ("allowed_users", "allowed_groups"),
        ("idle_timeout", "idle_seconds"),
        ("inactivity", "idle_seconds"),
        ("max_users", "max_concurrent_seats"),
        ("user_limit", "max_concurrent_seats"),
        ("max_borrow_second", "max_borrow_seconds"),
        ("max_borrow_days", "max_borrow_seconds"),
        ("borrow", "max_borrow_seconds"),
        ("roaming_days", "max_borrow_seconds"),
        ("max_borrow_seats", "max_borrowed_seats"),
        ("borrow_limit", "max_borrowed_seats"),
        ("max_instances", "max_instances_per_seat"),
        ("replicas", "max_instances_per_seat"),
    ],
)
def test_a_name_that_looks_like_a_slip_is_a_notice_that_says_what_was_meant(name: str, meant: str) -> None:
    (problem,) = form_problems(LicenseDocument, {**KEY, name: 5}, written_by_us=OURS)

    assert (problem.field, problem.level) == (name, Level.NOTICE)
    assert problem.expected.startswith(f"{meant},")


@pytest.mark.parametrize(
    "name",
    [
        "crm_number",
        "contact",
        "comment",
        "x",
        "價格",
        "",
        "_",
        "12",
        "user",
        "price_per_seat",
        "migrated_from",
        "user_email",
    ],
)
def test_a_field_of_the_admins_own_is_a_notice_that_it_does_nothing(name: str) -> None:
    (problem,) = form_problems(LicenseDocument, {**KEY, name: 5}, written_by_us=OURS)

    assert (problem.field, problem.level) == (name, Level.NOTICE)
    assert problem.expected == "nothing, or a note of your own: it does no harm"


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("trial", "trial"),
        ("excluded_groups", "keeps a group out"),
        ("group_limit", "limits the seats of a group"),
        ("named_users", "names users"),
        ("node_locked", "a device"),
        ("queue", "makes a line"),
    ],
)
def test_what_seatlease_does_not_have_is_said_so(name: str, lacking: str) -> None:
    (problem,) = form_problems(LicenseDocument, {**KEY, name: 5}, written_by_us=OURS)

    assert problem.expected.startswith("nothing: ")
    assert lacking in problem.expected


@pytest.mark.parametrize(
    ("form", "name", "field"),
    [
        (OrganizationDocument, "expires_at", "expires_at is a field of a license"),
        (OrganizationDocument, "valid_until", "expires_at is a field of a license"),
        (OrganizationDocument, "features", "features is a field of a license"),
        (OrganizationDocument, "groups", "groups is a field of a user"),
        (OrganizationDocument, "max_borrow_days", "max_borrow_seconds is a field of a license"),
        (UserDocument, "license_key", "license_key is a field of a license"),
        (UserDocument, "licenseKey", "license_key is a field of a license"),
        (UserDocument, "lease_seconds", "lease_seconds is a field of a license"),
        (UserDocument, "max_concurrent_seats", "max_concurrent_seats is a field of a license"),
        (UserDocument, "email_domains", "email_domains is a field of an organization"),
        (LicenseDocument, "role", "role is a field of a user"),
        (LicenseDocument, "kept_out", "kept_out is a field of a user"),
        (LicenseDocument, "slug", "slug is a field of an organization"),
    ],
)
def test_a_field_of_another_kind_of_document_is_said_to_belong_there(form: type[Form], name: str, field: str) -> None:
    fields = {**(KEY if form is LicenseDocument else {}), name: 5}

    (problem,) = form_problems(form, fields, written_by_us=OURS)

    assert problem.level == Level.NOTICE
    assert problem.expected.startswith(f"nothing here: {field}.")


def test_the_name_of_a_user_is_a_note() -> None:
    (problem,) = form_problems(UserDocument, {"name": "Ada"}, written_by_us=OURS)

    assert problem.expected == "nothing, or a note of your own: it does no harm"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("is_admin", "role"),
        ("mail", "email"),
        ("Role", "role"),
        ("group", "groups"),
        ("team", "groups"),
        ("banned", "kept_out"),
    ],
)
def test_words_for_users_are_understood(name: str, meant: str) -> None:
    (problem,) = form_problems(UserDocument, {name: 5}, written_by_us=OURS)

    assert problem.expected.startswith(f"{meant},")


@pytest.mark.parametrize("name", OURS)
def test_a_field_that_the_functions_write_is_no_slip(name: str) -> None:
    assert form_problems(LicenseDocument, {**KEY, name: 5}, written_by_us=OURS) == []


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        (UserDocument, {"groups": ["Design", " render "]}),
        (LicenseDocument, {"allowed_groups": ["DESIGN"], "reservations": {" Design ": 2}}),
    ],
)
def test_a_group_is_taken_in_any_letters(form: type[Form], fields: Mapping[str, Any]) -> None:
    assert form_problems(form, {**(KEY if form is LicenseDocument else {}), **fields}, written_by_us=OURS) == []


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
