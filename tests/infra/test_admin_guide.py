"""The admin's guide: its tables are what the code says, and its first page leads to a seat."""

import ast
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from google.cloud import firestore

from infra.build.stage import ROOT
from infra.local.tokens import unsigned_token
from infra.pages.admin_guide import FORMS, PAGE, Example, examples, page
from shared.admin.review_record import PROBLEMS
from shared.edge.refusals import Refusal, refused
from shared.rules.acquire import DeviceLimitReached, SeatLimitReached
from shared.rules.refusal import LicenseNotAllowed, LicenseNotStarted
from shared.rules.review import Problem
from shared.rules.session import EndReason, SessionOver
from tests.infra.served import Served, until

EXAMPLES = list(examples())
GUIDE = PAGE.read_text()
STEPS = GUIDE[: GUIDE.index("\n## People\n")]
"""The first page."""


def fields_in(table: str) -> list[str]:
    """The fields that a table of the guide lists."""
    between = re.search(f"<!-- {table}: generated -->(.*?)<!-- end of {table} -->", GUIDE, re.DOTALL)
    assert between is not None
    return re.findall(r"^\| `(\w+)` \|", between[1], re.MULTILINE)


# The tables


def test_the_tables_are_what_the_code_says() -> None:
    generated = page(GUIDE)

    assert generated == GUIDE


@pytest.mark.parametrize("collection", FORMS)
def test_every_field_of_a_form_is_in_its_table(collection: str) -> None:
    form, ours = FORMS[collection]

    listed = fields_in(collection)

    assert listed == [*form.model_fields, *(name for name, _, _ in ours)]


def places_that_make_problems() -> Iterator[tuple[str, range]]:
    """Every call in the code that makes a problem: its file, and the lines that it takes."""
    for path in sorted((ROOT / "shared").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Problem":
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                yield str(path.relative_to(ROOT)), lines


def test_every_kind_of_problem_that_the_code_can_make_is_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    made: set[tuple[str, int]] = set()
    make: Callable[..., None] = Problem.__init__

    def watched(problem: Problem, **parts: Any) -> None:  # noqa: ANN401 as the class itself
        frame = inspect.currentframe()
        assert frame is not None
        assert frame.f_back is not None
        made.add((frame.f_back.f_code.co_filename, frame.f_back.f_lineno))
        make(problem, **parts)

    monkeypatch.setattr(Problem, "__init__", watched)

    list(examples())

    places = list(places_that_make_problems())
    unseen = [
        (file, lines[0])
        for file, lines in places
        if not any(where == str(ROOT / file) and line in lines for where, line in made)
    ]
    assert places
    assert unseen == []


def test_a_missing_account_is_shown_with_and_without_another_account_of_the_same_address() -> None:
    missing = [each.problem for each in EXAMPLES if each.problem.found.startswith("no user of Firebase")]

    assert [("of the account with this e-mail address" in each.expected) for each in missing] == [False, True, True]


def test_no_two_rows_say_the_same() -> None:
    shown = [each.problem for each in EXAMPLES]

    assert len(set(shown)) == len(shown)


def _kind(example: Example) -> str:
    return f"{example.where}-{example.problem.field}"


@pytest.mark.parametrize("example", EXAMPLES, ids=_kind)
def test_a_problem_never_breaks_its_row(example: Example) -> None:
    parts = (example.where, *(str(getattr(example.problem, name)) for name in Problem.__slots__), example.to_do)

    assert not any("|" in part or "\n" in part for part in parts)


REFUSALS: list[Refusal] = [
    LicenseNotStarted(starts_at=datetime(2027, 1, 1, tzinfo=UTC)),
    LicenseNotAllowed(),
    SeatLimitReached(license_id="cad", in_use=12, max_seats=20, reserved_for_others=8),
    DeviceLimitReached(own=(), max_devices=2, earliest_expiry_at=datetime(2027, 1, 1, tzinfo=UTC)),
    SessionOver(reason=EndReason.IDLE),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_what_users_see_is_what_the_service_answers(refusal: Refusal) -> None:
    shown = {" ".join(quote.replace("\n> ", " ").split()) for quote in re.findall(r"\n> ((?:.+\n)+)", GUIDE)}

    error = refused(refusal, now=datetime(2026, 12, 1, tzinfo=UTC))

    assert error.message in shown


# The first page, as a newcomer follows it


@dataclass(frozen=True, kw_only=True)
class Followed:
    """What has come of the first page on the stack."""

    stack: Served
    license_key: str
    organization_id: str
    user_id: str
    accounts: str | None

    def acquire(self, token: str) -> httpx.Response:
        body = {"license_key": self.license_key, "hardware_id": "my-laptop"}
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(f"{self.stack.state['base_url']}/v1/acquire", json=body, headers=headers, timeout=30)

    def own_token(self) -> str:
        project = self.stack.state["project"]
        return unsigned_token(project=project, organization_id=self.organization_id, user_id=self.user_id)


def follow(stack: Served, script: Path, *, accounts: str | None, instead: str | None = None) -> Followed:
    """Run the guide's script as the guide says, or for an organization of another name ``instead``."""
    (block,) = re.findall(r"```python\n(.*?)```", STEPS, re.DOTALL)
    named = re.search(r"infra\.local token --org (\S+) --uid ([^\s)]+)", STEPS)
    assert named is not None
    organization_id, user_id = named.groups()
    if instead is not None:
        block, organization_id = block.replace(organization_id, instead), instead
    script.write_text(block)
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_EMULATOR_HOST")}
    environment["FIRESTORE_EMULATOR_HOST"] = stack.state["firestore_emulator_host"]
    if accounts is not None:
        environment["FIREBASE_AUTH_EMULATOR_HOST"] = accounts
    ran = subprocess.run(
        [sys.executable, str(script)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    made = re.fullmatch(r"license key: (\S+)\n", ran.stdout)
    assert made is not None
    return Followed(
        stack=stack, license_key=made[1], organization_id=organization_id, user_id=user_id, accounts=accounts
    )


@pytest.fixture(scope="module")
def followed(local_stack: Served, tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """The first page, followed once, with accounts where there is an Auth emulator."""
    script = tmp_path_factory.mktemp("guide") / "first_organization.py"
    return follow(local_stack, script, accounts=local_stack.state["auth_emulator_host"])


@pytest.fixture
def organization(followed: Followed, stack_console: firestore.Client) -> firestore.DocumentReference:
    reference: firestore.DocumentReference = stack_console.document("organizations", followed.organization_id)
    return reference


def reviewed(reference: firestore.DocumentReference) -> Mapping[str, Any]:
    """The document, once the functions have looked at it."""
    until(lambda: PROBLEMS in (reference.get().to_dict() or {}), what=f"the review of {reference.path}")
    return dict(reference.get().to_dict() or {})


def test_the_script_is_short_enough_to_be_read() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", STEPS, re.DOTALL)

    lines = block.splitlines()

    assert len(lines) <= 30


def test_whoever_follows_the_first_page_gets_a_seat(followed: Followed) -> None:
    answer = followed.acquire(followed.own_token())

    assert answer.status_code in {200, 201}, answer.text
    assert answer.json()["seats"]["max"] == 20


def test_the_script_can_be_run_again_and_the_key_stays(followed: Followed, tmp_path: Path) -> None:
    again = follow(followed.stack, tmp_path / "first_organization.py", accounts=followed.accounts)

    assert again.license_key == followed.license_key


def test_without_an_account_the_first_page_leads_to_a_seat_too(local_stack: Served, tmp_path: Path) -> None:
    script = tmp_path / "first_organization.py"
    followed = follow(local_stack, script, accounts=None, instead="no-accounts")

    answer = followed.acquire(followed.own_token())

    assert answer.status_code == 201, answer.text


def test_who_signs_in_as_the_first_page_says_has_a_token_that_takes_a_seat(followed: Followed) -> None:
    if followed.accounts is None:
        pytest.skip("no Firebase Auth emulator here: there is no npm, or make auth-emulator has not run")
    credentials = {"email": "ada@harbor.example", "password": "only-for-here", "returnSecureToken": True}
    url = f"http://{followed.accounts}/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword"

    def token() -> str:
        return str(httpx.post(url, params={"key": "any"}, json=credentials).raise_for_status().json()["idToken"])

    def named() -> object:
        return jwt.decode(token(), options={"verify_signature": False}).get("org_id")

    until(lambda: named() == followed.organization_id, what="a token that names the organization")
    answer = followed.acquire(token())

    assert answer.status_code in {200, 201}, answer.text


def test_of_an_organization_every_field_of_the_table_is_filled_in_but_the_ways_to_join(
    organization: firestore.DocumentReference,
) -> None:
    stored = reviewed(organization)

    assert sorted([*stored, "email_domains", "sso_providers"]) == sorted(fields_in("organizations"))
    assert stored["problems"] == []


def test_of_a_license_every_field_of_the_table_is_filled_in_but_those_that_the_table_says(
    organization: firestore.DocumentReference,
) -> None:
    stored = reviewed(organization.collection("licenses").document("design-studio"))

    left_out = re.findall(r"^\| `(\w+)` \|[^|]*\|[^|]*not filled in \|", GUIDE, re.MULTILINE)
    assert {"lease_seconds", "features"} <= {*left_out}
    assert stored.keys() == {*fields_in("licenses")} - {*left_out}
    assert stored["problems"] == []


def test_of_a_user_every_field_of_the_table_is_filled_in_but_kept_out(
    organization: firestore.DocumentReference, followed: Followed
) -> None:
    if followed.accounts is None:
        pytest.skip("no Firebase Auth emulator here: nobody reviews the documents of users")

    stored = reviewed(organization.collection("users").document(followed.user_id))

    assert sorted([*stored, "groups", "kept_out"]) == sorted(fields_in("users"))
    assert stored["problems"] == []


def test_a_session_has_the_fields_of_the_table(organization: firestore.DocumentReference, followed: Followed) -> None:
    session_id = followed.acquire(followed.own_token()).json()["session_id"]

    stored = organization.collection("sessions").document(session_id).get().to_dict()

    assert sorted(stored or {}) == sorted(fields_in("sessions"))
