"""Whatever is sent to a function, by clients or by who calls itself the platform: no fault of ours, an answer in time,
and no memory that is kept for it.

``make fuzz SEED=... MINUTES=...`` sends for longer, and something else with each seed.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from infra.build.triggers import OnDocument, OnSchedule, triggers
from infra.contracts.openapi.operations import OPERATIONS, function_of
from infra.local.loopback import NO_TLS
from infra.local.processes import Process
from infra.local.seed import firestore_client
from infra.local.serving import UNSIGNED_TOKENS_ARE_FINE
from infra.local.tokens import unsigned_token
from shared.edge.errors import Code
from shared.rules.session import session_id_of
from tests.programs.bench.proc import is_there, resident_bytes
from tests.support.admin import TIMES, Edit, edits
from tests.support.cloud_event import CloudEvent
from tests.support.fuzz_events import Posted, binary, paths, structured
from tests.support.fuzz_requests import Knowing, requests
from tests.support.google_keys import SigningKey, publishing
from tests.support.length import fuzzed
from tests.support.raw import Answer, answers
from tests.support.servers import StartFunction
from tests.support.tenant import LICENSE_ID, Tenant

SEED = int(os.environ.get("FUZZ_SEED", "1"))
SECONDS = float(os.environ.get("FUZZ_SECONDS", "6"))
"""For all of it. Half is for what clients call."""

NEVER_LONGER_THAN = 15
MAY_KEEP = 64 * 1024 * 1024
"""What a server may hold more at the end than when it had answered its first hundred requests. It is a tolerance
for what is remembered (10,000 tokens, 20,000 ids) and for garbage that is collected seldom (shared/edge/platform.py).
"""

EXAMPLES = 60
FUZZ = settings(
    fuzzed(EXAMPLES),
    database=None,
    phases=[Phase.generate],
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
EVENTS = sorted(name for name, trigger in triggers().items() if isinstance(trigger, OnDocument))
KEEPS_ACCOUNTS = "sync_user_claims"
SCHEDULED = sorted(name for name, trigger in triggers().items() if isinstance(trigger, OnSchedule))


@dataclass(frozen=True, kw_only=True)
class Target:
    """Servers of a project of their own, and an organization on it."""

    servers: Mapping[str, Process]
    project: str
    tenant: Tenant
    http: httpx.Client
    warm: dict[str, int] = field(default_factory=dict)

    def keep_sending(self, one: Callable[..., None], *, to: str, share: float) -> None:
        """Run an example again and again for a share of the time, and watch the memory of its server."""
        ends, batch = time.monotonic() + SECONDS * share, 0
        while batch < 2 or time.monotonic() < ends:
            seed(SEED * 1_000_003 + batch)(one)()
            batch += 1
            assert self.servers[to].popen.poll() is None, f"{to} has ended"
            held = resident_bytes(self.servers[to].popen.pid)
            # The first two batches warm it up: imports, connections, caches.
            if batch <= 2:
                self.warm[to] = held
            assert held - self.warm[to] < MAY_KEEP, f"{to} held {self.warm[to]} bytes and now {held} (SEED={SEED})"

    def post(self, function: str, posted: Posted) -> Answer:
        """Deliver an event, as the platform does again when it was not taken: Firestore may have been busy."""
        for _ in range(3):
            (answer,) = answers(self.servers[function].url, posted.request, within=NEVER_LONGER_THAN)
            if answer.status < 500:
                break
        return answer


def _told(project: str, **more: str) -> dict[str, str]:
    return {"GOOGLE_CLOUD_PROJECT": project, "SEATLEASE_LOG_LEVEL": "INFO", **more}


@pytest.fixture(scope="module")
def target(servers: Mapping[str, Process], functions_project: str, firestore_host: str) -> Iterator[Target]:
    """The shared servers of every function but the one that keeps accounts."""
    if not is_there():
        pytest.skip("this system has no /proc to read a process's memory from")
    project = functions_project
    names = [name for name in (*map(function_of, OPERATIONS), *EVENTS, *SCHEDULED) if name != KEEPS_ACCOUNTS]
    with (
        closing(firestore_client(project=project, firestore_host=firestore_host)) as console,
        httpx.Client(
            verify=NO_TLS, timeout=NEVER_LONGER_THAN, limits=httpx.Limits(max_keepalive_connections=0)
        ) as http,
    ):
        yield Target(
            servers={name: servers[name] for name in names}, project=project, tenant=Tenant.create(console), http=http
        )


@pytest.fixture(scope="module")
def with_accounts(target: Target, start_server: StartFunction, auth_host: str) -> Target:
    """The same, with that one."""
    process = start_server(KEEPS_ACCOUNTS, **_told(target.project, FIREBASE_AUTH_EMULATOR_HOST=auth_host))
    process.wait_until_ready()
    return replace(target, servers={**target.servers, KEEPS_ACCOUNTS: process})


@pytest.fixture(scope="module")
def verifying(
    target: Target, start_server: StartFunction, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Target, Knowing]]:
    """The same, with acquire as it is in the cloud: beside no Auth emulator the library looks closer at a token."""
    key = SigningKey(key_id="key-1")
    with publishing(key, tmp_path_factory.mktemp("google")) as google:
        told = _told(target.project, **dict.fromkeys(UNSIGNED_TOKENS_ARE_FINE, ""), **google.environment)
        process = start_server("acquire", **told)
        process.wait_until_ready()
        signed = [
            key.token(project=target.project, org_id=target.tenant.organization_id, sub=sub) for sub in ("m0", "gus")
        ]
        yield replace(target, servers={"acquire": process}, warm={}), replace(_known(target), tokens=signed)
        process.stop()


def _known(target: Target) -> Knowing:
    organization_id = target.tenant.organization_id
    people = [(organization_id, user_id) for user_id in ("olivia", "m0", "m1", "gus")]
    people += [("no-such-org", "m0"), (organization_id, "nobody")]
    tokens = [unsigned_token(project=target.project, organization_id=org, user_id=user) for org, user in people]
    held = [session_id_of(license_id=LICENSE_ID, user_id="m0", hardware_id=device) for device in ("laptop", "desk")]
    claims = {
        "iss": f"https://securetoken.google.com/{target.project}",
        "aud": target.project,
        "sub": "m0",
        "exp": 4_000_000_000,
        "org_id": organization_id,
    }
    keys = [target.tenant.license_key, "no-such-key"]
    return Knowing(tokens=tokens, claims=claims, license_keys=keys, session_ids=[*held, "a" * 26])


@pytest.mark.parametrize("function", OPERATIONS)
def test_whatever_a_client_sends_is_answered_in_time_and_no_fault_of_ours(target: Target, function: str) -> None:
    _send_everything(target, function, _known(target), share=0.5 / len(OPERATIONS))


def test_whatever_token_is_sent_where_signatures_are_verified(verifying: tuple[Target, Knowing]) -> None:
    target, known = verifying
    _send_everything(target, "acquire", known, share=0.1)


def _send_everything(target: Target, function: str, known: Knowing, *, share: float) -> None:
    server = function_of(function)
    url = target.servers[server].url

    @FUZZ
    @given(sent=requests(known, method=OPERATIONS[function].method))
    def one(sent: bytes) -> None:
        began = time.monotonic()
        got = [answer for answer in answers(url, sent, within=NEVER_LONGER_THAN) if answer.status != 100]
        assert time.monotonic() - began < NEVER_LONGER_THAN
        assert got, "no answer at all"
        for answer in got:
            note(f"{sent!r}: {answer}")
            assert answer.status != 500
            assert answer.status < 500 or answer.status == 503
            if answer.status >= 400 and b"application/json" in answer.head and answer.body:
                assert Code[answer.code].status == answer.status

    target.keep_sending(one, to=server, share=share)


@pytest.mark.parametrize("function", [name for name in EVENTS if name != KEEPS_ACCOUNTS])
def test_whatever_event_is_posted_is_taken_or_refused_in_time(target: Target, function: str) -> None:
    _post_everything(target, function)


def test_whatever_event_is_posted_to_the_one_that_keeps_accounts(with_accounts: Target) -> None:
    _post_everything(with_accounts, KEEPS_ACCOUNTS)


def _post_everything(target: Target, function: str) -> None:
    documents = [document.reference.path for document in _documents(target.tenant)]
    path = paths(target.tenant.organization_id, documents)

    @FUZZ
    @given(posted=binary(target.project, path) | structured(target.project, path))
    def one(posted: Posted) -> None:
        answer = target.post(function, posted)
        assert answer.status in (200, 400), f"{posted.request!r}: {answer}"

    target.keep_sending(one, to=function, share=0.1)


EMAILS = [
    "a@b",
    "a b@c.com",
    "é@é.com",
    "a" * 300 + "@x.com",
    "a@b@c",
    "@",
    "a@",
    "@b",
    "a@\x00",
    "A@B.COM",
    "a@b..c",
    "%40@x",
]
IDS = ["a@b.com", "é", "x" * 129, "x" * 1_400, "a b", "...", "%2e", "null", "\u202e"]


def test_whatever_id_and_address_a_user_has_the_claims_are_kept_or_the_admin_is_told(with_accounts: Target) -> None:
    users = with_accounts.tenant.organization.collection("users")
    edited = [(f"user-{number}", {"email": email}) for number, email in enumerate(EMAILS)]
    edited += [(user_id, {"email": "a@b.com"}) for user_id in IDS]

    for user_id, fields in edited:
        users.document(user_id).set({"role": "member", **fields})
        event = CloudEvent(project=with_accounts.project, path=users.document(user_id).path, kind="written")
        answer = with_accounts.post(KEEPS_ACCOUNTS, Posted(headers=event.headers, body=event.body))
        assert answer.status == 200, f"{user_id}, {fields}: {answer}"
        assert (users.document(user_id).get().to_dict() or {})["problems"]


def _documents(tenant: Tenant) -> list[Any]:
    below = (each for collection in tenant.organization.collections() for each in collection.stream())
    return [tenant.organization.get(), *below]


def test_whatever_stands_in_an_audit_event_it_is_relayed_or_left_to_the_admin(target: Target) -> None:
    tenant, url = target.tenant, target.servers["acquire"].url
    tokens = _known(target).tokens
    for token in tokens[1:3]:
        body = {"license_key": tenant.license_key, "hardware_id": "laptop"}
        target.http.post(url, json=body, headers={"Authorization": f"Bearer {token}"})
        tenant.license().update({"max_concurrent_seats": 1})
    templates = [document.to_dict() or {} for document in tenant.event_documents()]
    assert {template["type"] for template in templates} >= {"session.acquired", "session.denied"}

    # The time decides most, so it is edited most.
    slip_of_time = TIMES.map(lambda at: [Edit(document="event", fields={"at": at})])

    @settings(FUZZ, max_examples=fuzzed(100).max_examples)
    @given(template=st.sampled_from(templates), slips=slip_of_time | slip_of_time | edits({"event": "event"}, most=2))
    def one(template: dict[str, Any], slips: list[Any]) -> None:
        reference = tenant.organization.collection("audit_events").document(uuid4().hex[:20])
        reference.set(template)
        for slip in slips:
            slip.apply(reference, tenant.console, template=template)
        event = CloudEvent.created(reference)
        answer = target.post("relay_audit", Posted(headers=event.headers, body=event.body))
        assert answer.status == 200, f"{reference.get().to_dict()}: {answer}"

    target.keep_sending(one, to="relay_audit", share=0.15)

    report = target.http.post(target.servers["expire_sessions"].url).json()
    assert (report["organizations_failed"], report["is_complete"]) == (0, True), report


@pytest.mark.parametrize("function", SCHEDULED)
def test_whatever_is_sent_to_a_scheduled_function_it_does_its_work_or_says_post(target: Target, function: str) -> None:
    url = target.servers[function].url

    @settings(FUZZ, max_examples=fuzzed(15).max_examples)
    @given(sent=requests(_known(target), method="POST"))
    def one(sent: bytes) -> None:
        for answer in answers(url, sent, within=NEVER_LONGER_THAN):
            note(f"{sent!r}: {answer}")
            assert answer.status in (100, 200, 400, 404, 405, 503)

    target.keep_sending(one, to=function, share=0.02)
