"""Nobody learns of another organization, or touches it: whatever is asked, it is as if the other did not exist."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from google.cloud import firestore

from infra.local.processes import Process
from infra.local.tokens import unsigned_token
from shared.rules.admission import invitation_id_of
from shared.rules.digest import DIGEST_LENGTH
from shared.rules.session import session_id_of
from tests.support.client import Clients, answered, code_of
from tests.support.cloud_event import CloudEvent
from tests.support.tenant import LICENSE_ID, Snapshot, Tenant

NOTHING = "a" * DIGEST_LENGTH
"""An id that nothing has."""

CALLERS = ("olivia", "adam", "m0", "gus", "bea", "bob")
"""An owner, an admin, a member and a guest of the one organization; ``bea`` is in both, ``bob`` only in the other."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A request that names something, and the same that names nothing."""

    function: str
    something: Mapping[str, str]
    nothing: Mapping[str, str]
    method: str = "POST"


@dataclass(frozen=True, kw_only=True)
class Other:
    """The organization that nobody else may learn of, in which there is a document of every kind."""

    tenant: Tenant

    @property
    def versions(self) -> dict[str, Any]:
        """Which version of each document is stored."""
        return {each.reference.path: each.update_time for each in _documents(self.tenant)}

    @property
    def names(self) -> list[str]:
        """The ids of its documents, those of every kind."""
        return sorted({each.id for each in _documents(self.tenant)})

    def secrets(self, tenant: Tenant) -> list[str]:
        """The texts in its documents, their ids included, that the documents of the tenant do not hold as well."""
        own = {text for each in _documents(tenant) for text in _texts(each)}
        texts = {text for each in _documents(self.tenant) for text in _texts(each)}
        return sorted(text for text in texts - own if len(text) > 3)  # a shorter one is somewhere by chance


def _documents(tenant: Tenant) -> list[Snapshot]:
    below = (each for collection in tenant.organization.collections() for each in collection.stream())
    return [tenant.organization.get(), *below]


def _texts(value: object) -> Iterator[str]:
    match value:
        case firestore.DocumentSnapshot():
            yield from (value.id, *_texts(value.to_dict()))
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)


Found = Callable[[str], Awaitable[Tenant]]


@pytest.fixture
def found(clients: Clients, servers: Mapping[str, Process], console: firestore.Client) -> Found:
    """Makes an organization in which something of every kind has happened; its name begins as asked."""

    async def one(name: str) -> Tenant:
        tenant = Tenant.create(console, seats=2, prefix=name)
        tenant.add_license(f"license-of-{name}", f"{tenant.license_key}-{name}", seats=1)
        tenant.user("bea").set({"email": f"bea@{name}.example", "role": "owner"})
        await clients.of(tenant, "bea", hardware_id=f"laptop-of-{name}").acquired()
        once = clients.of(tenant, "m0", hardware_id=f"desk-of-{name}")
        await once.release(await once.acquired())
        await once.acquired()
        assert (await clients.of(tenant, "m1").acquire()).status_code == 409
        until = datetime.now(UTC) + timedelta(hours=1)
        waiting = await clients.of(tenant, "m2", hardware_id=f"tablet-of-{name}").acquire(wait_until=until.isoformat())
        tenant.place(waiting.json()["session_id"]).update({"counts_until": until})
        tenant.seats.update({f"line_until.{LICENSE_ID}": int(until.timestamp())})
        for document in (tenant.organization, tenant.license()):
            event = CloudEvent(project=clients.project, path=document.path, kind="written")
            assert (await event.post(clients.http, servers["review_admin_edit"].url)).status_code == 200
        counted = await clients.http.post(servers["summarize_usage"].url)
        assert (counted.status_code, counted.json()["organizations_failed"]) == (200, 0)
        invitation = {"email": f"invited@{name}.example", "role": "member"}
        token = unsigned_token(project=clients.project, organization_id=tenant.organization_id, user_id="bea")
        headers = {"Authorization": f"Bearer {token}"}
        invited = await answered(
            lambda: clients.http.post(clients.urls["invitations"], headers=headers, json=invitation)
        )
        assert invited.status_code == 201, invited.text
        kinds = {collection.id for collection in tenant.organization.collections()}
        assert kinds == {
            "users",
            "licenses",
            "sessions",
            "usage",
            "usage_days",
            "audit_events",
            "reviews",
            "waiting",
            "invitations",
        }
        return tenant

    return one


@pytest.fixture
async def other(found: Found) -> Other:
    """The other organization. An owner of it belongs to no other."""
    tenant = await found("the-other")
    tenant.user("bob").set({"email": "bob@the-other.example", "role": "owner"})
    return Other(tenant=tenant)


def _asks(other: Other) -> list[Ask]:
    """Every way to name something of another organization's, to every function that clients ask."""
    key, names = other.tenant.license_key, other.names
    paths = [other.tenant.organization.path, other.tenant.license().path]
    keys = [key, f"{key}-the-other", *names, *paths, f"../{other.tenant.organization_id}/licenses/license-1"]
    ids = [name for name in names if len(name) == DIGEST_LENGTH]
    devices = ("laptop-of-own", "laptop-of-the-other")
    invitation, no_invitation = invitation_id_of("invited@the-other.example"), "0" * 64
    return [
        *(
            Ask(function="usage", method="GET", something={"license_key": each}, nothing={"license_key": "no"})
            for each in keys
        ),
        # A page begins behind its token, whether or not that names anything: what is next to it begins the same page.
        *(
            Ask(function="usage", method="GET", something={"page_token": each}, nothing={"page_token": f"{each} "})
            for each in names
        ),
        *(
            Ask(function="members", method="GET", something={"page_token": each}, nothing={"page_token": f"{each} "})
            for each in names
        ),
        *(
            Ask(
                function="members",
                method="PATCH",
                something={"user_id": each, "role": "guest"},
                nothing={"user_id": "nobody-at-all", "role": "guest"},
            )
            for each in ("bob", *ids)
        ),
        Ask(
            function="invitations",
            method="DELETE",
            something={"invitation_id": invitation},
            nothing={"invitation_id": no_invitation},
        ),
        *(
            Ask(function="history", method="GET", something={"license_id": each}, nothing={"license_id": "no"})
            for each in names
            if each != LICENSE_ID  # every organization has one
        ),
        *(
            Ask(
                function="history",
                method="GET",
                something={"view": "events", name: each},
                nothing={"view": "events", name: "no"},
            )
            for name in ("user_id", "license_id")
            for each in (f"license-of-{other.tenant.organization_id.rpartition('-')[0]}", "bob")
        ),
        *(
            Ask(function="history", method="GET", something=_behind(each), nothing=_behind(NOTHING))
            for each in names
            if len(each) == DIGEST_LENGTH
        ),
        *(
            Ask(
                function="acquire",
                something={"license_key": each, "hardware_id": device},
                nothing={"license_key": "no-such-key", "hardware_id": device},
            )
            for each in keys
            for device in devices
        ),
        *(
            Ask(function=function, something={"session_id": each}, nothing={"session_id": NOTHING})
            for each in ids
            for function in ("heartbeat", "release")
        ),
    ]


def _behind(event_id: str) -> dict[str, str]:
    """A page of the trail that begins now, behind this event."""
    now = datetime.now(UTC).replace(microsecond=0)
    return {"view": "events", "page_token": f"{int(now.timestamp()) * 1_000_000}.{event_id}"}


async def _answer(
    clients: Clients, token: str, function: str, named: Mapping[str, str], method: str = "POST"
) -> httpx.Response:
    return await answered(partial(_first_answer, clients, token, function, named, method))


async def _answers(clients: Clients, asked: Iterable[tuple[str, str, Mapping[str, str], str]]) -> list[httpx.Response]:
    """Ask some at a time: each of them costs the emulator a query."""
    room = asyncio.Semaphore(8)

    async def one(token: str, function: str, named: Mapping[str, str], method: str) -> httpx.Response:
        async with room:
            return await _answer(clients, token, function, named, method)

    return await asyncio.gather(*(one(*each) for each in asked))


async def _first_answer(
    clients: Clients, token: str, function: str, named: Mapping[str, str], method: str
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    url = clients.urls[function]
    if method in {"GET", "DELETE"}:
        return await clients.http.request(method, url, headers=headers, params=dict(named))
    return await clients.http.request(method, url, headers=headers, json=dict(named))


def _in_bytes(answer: httpx.Response) -> tuple[int, dict[str, str], str]:
    """All that an answer says, but for its own id, the time, and its tag, which is a hash of the question too."""
    ours = {"x-request-id", "date", "content-length", "etag"}
    headers = {name: value for name, value in answer.headers.items() if name not in ours}
    if not answer.content:
        return answer.status_code, headers, ""
    body = json.loads(answer.content)
    del body["server_time"]
    body.get("error", {}).pop("request_id", None)
    return answer.status_code, headers, json.dumps(body)


@pytest.mark.parametrize(
    "caller", ["olivia", "gus", *(pytest.param(each, marks=pytest.mark.long) for each in CALLERS[1:] if each != "gus")]
)
async def test_what_is_another_organizations_answers_as_what_does_not_exist(
    clients: Clients, found: Found, other: Other, caller: str
) -> None:
    tenant = await found("own")
    token = unsigned_token(project=clients.project, organization_id=tenant.organization_id, user_id=caller)
    asks, versions, secrets = _asks(other), other.versions, other.secrets(tenant)

    something = await _answers(clients, ((token, ask.function, ask.something, ask.method) for ask in asks))

    nothing = await _answers(clients, ((token, ask.function, ask.nothing, ask.method) for ask in asks))
    assert [_in_bytes(answer) for answer in something] == [_in_bytes(answer) for answer in nothing]
    assert [secret for secret in secrets for answer in something if secret in answer.text] == []
    assert other.versions == versions


async def test_the_same_requests_by_a_user_of_that_organization_find_what_they_name(
    clients: Clients, other: Other
) -> None:
    token = unsigned_token(project=clients.project, organization_id=other.tenant.organization_id, user_id="bea")
    asks = _asks(other)

    answers = [await _answer(clients, token, ask.function, ask.something, ask.method) for ask in asks]

    found = {ask.function for ask, answer in zip(asks, answers, strict=True) if answer.is_success}
    assert found == {"acquire", "heartbeat", "history", "invitations", "members", "release", "usage"}
    shown = "".join(answer.text for answer in answers)
    told = ["bea@the-other.example", "laptop-of-the-other", "license-of-the-other"]
    assert [text for text in told if text not in shown] == []


def _claims(name: str, own: str) -> Sequence[object]:
    """Claims that might be taken for the organization of this name, by who is careless."""
    cyrillic = str.maketrans("aeop", "\u0430\u0435\u043e\u0440")
    fullwidth = {ord(letter): ord(letter) + 0xFEE0 for letter in map(chr, range(0x21, 0x7F))}
    return [
        *(
            f"{name}{tail}"
            for tail in (" ", "\t", "\n", "\x00", "/", "//", "/.", "\\", "%20", "\u200b", "\ufeff", "?", "#")
        ),
        *(f"{head}{name}" for head in (" ", "\n", "/", "./", "../", "organizations/", "\u202e")),
        *(f"{own}/../{name}", f"{own}/users/m0", f"{name}/users/olivia", f"{name}/licenses/license-1"),
        *(name.upper(), name.title(), name.translate(cyrillic), name.translate(fullwidth), name.replace("-", "\u2010")),
        *(name[:-1], f"{name},{own}", f"{own} {name}", f'"{name}"', f"%2F{name}", name.replace("-", "%2D")),
        *("", " ", ".", "..", "/", "-", "*", "__all__", "organizations"),
        *([name], [own, name], {"org_id": name}, {name: True}, 5, 1.5, True, None),
    ]


async def test_no_claim_that_only_resembles_an_organizations_name_reaches_it(
    clients: Clients, found: Found, other: Other
) -> None:
    tenant, name, versions = await found("own"), other.tenant.organization_id, other.versions
    secrets = other.secrets(tenant)
    tokens = [_token(clients.project, claim) for claim in _claims(name, tenant.organization_id)]
    nowhere = [_token(clients.project, f"no-such-organization-{uuid4().hex}"), _token(clients.project, None)]
    held = session_id_of(license_id=LICENSE_ID, user_id="bea", hardware_id="laptop-of-the-other")
    asks: list[tuple[str, dict[str, str], str]] = [
        ("acquire", {"license_key": other.tenant.license_key, "hardware_id": "laptop-of-the-other"}, "POST"),
        ("heartbeat", {"session_id": held}, "POST"),
        ("release", {"session_id": held}, "POST"),
        ("usage", {}, "GET"),
        ("history", {}, "GET"),
        ("history", {"view": "events"}, "GET"),
        ("members", {}, "GET"),
        ("members", {"user_id": "m0", "role": "owner"}, "PATCH"),
        ("invitations", {"email": "bob@own.example", "role": "owner"}, "POST"),
        ("invitations", {"invitation_id": invitation_id_of("invited@the-other.example")}, "DELETE"),
    ]

    for function, named, method in asks:
        answers = await _answers(clients, ((token, function, named, method) for token in tokens))

        refusals = [_in_bytes(await _answer(clients, token, function, named, method)) for token in nowhere]
        assert [answer.text for answer in answers if _in_bytes(answer) not in refusals] == []
        assert [secret for secret in secrets for answer in answers if secret in answer.text] == []
    assert other.versions == versions


def _token(project: str, claim: object) -> str:
    """A token with this claim, of an owner of the other organization."""
    token = unsigned_token(project=project, organization_id=None, user_id="bea")
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({**claims, "org_id": claim}, key="", algorithm="none")


async def test_a_token_without_any_claim_is_told_so(clients: Clients) -> None:
    answer = await _answer(clients, _token(clients.project, None), "usage", {}, "GET")

    assert (answer.status_code, code_of(answer)) == (403, "NO_ORGANIZATION")
