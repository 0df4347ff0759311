"""The canary: a user of the vendor's own organization acquires a real seat, sends a heartbeat and releases it.

Every run uses a new device, so two runs at a time do not end each other's session. The heartbeat follows at once, so
the function answers it without a write. It does not prove that a lease can be extended.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx

from infra.build.triggers import OnRequest, deployed_name, triggers
from infra.doctor.finding import Area, Finding
from infra.doctor.lease import not_verified

ANSWER_WITHIN_SECONDS = 30
"""A function answers within 10 s, and may need a cold start first."""

SLOW_AFTER_MILLISECONDS = 3_000
"""Longer than a cold start (measured: less than a second) and two round trips."""

_PLATFORM_REFUSES = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True, kw_only=True, slots=True)
class Functions:
    """The functions' addresses. ``url`` is one address for all, or has ``{function}`` in place of the name."""

    url: str
    project: str
    region: str

    def address(self, function: str) -> str:
        if "{function}" in self.url:
            return self.url.replace("{function}", deployed_name(function))
        return f"{self.url.rstrip('/')}/v1/{function}"

    @property
    def area(self) -> Area:
        return Area(name="functions", api="run.googleapis.com", role="roles/run.viewer", project=self.project)

    def make_public(self, function: str) -> str:
        """The command that allows clients to call a function."""
        return (
            f"gcloud run services add-iam-policy-binding {deployed_name(function)} --member=allUsers "
            f"--role=roles/run.invoker --region={self.region} --project={self.project}"
        )

    def logs(self, function: str, request_id: object = None) -> str:
        """The command that shows a function's logs: of one request, or the warnings of the last hour."""
        which = f'jsonPayload.request_id="{request_id}"' if request_id else "severity>=WARNING"
        service = f'resource.labels.service_name="{deployed_name(function)}"'
        return f"gcloud logging read '{service} {which}' --freshness=1h --project={self.project}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Canary:
    """The canary's token and license key. The token is a Firebase ID token with the claim ``org_id``."""

    token: str = field(repr=False)
    license_key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    status: int
    body: dict[str, Any]
    is_ours: bool
    milliseconds: int

    @property
    def code(self) -> str:
        error = self.body.get("error")
        return str(error.get("code", "")) if isinstance(error, dict) else ""

    @property
    def request_id(self) -> object:
        error = self.body.get("error")
        return error.get("request_id") if isinstance(error, dict) else None

    def __str__(self) -> str:
        error = self.body.get("error")
        if isinstance(error, dict):
            return f"{self.status} {error.get('code')}: {error.get('message')}"
        return str(self.status) if self.is_ours else f"{self.status}, but the answer is not the function's"


def check_answering(functions: Functions) -> list[Finding]:
    """Call each client function without a token. It must answer with its own error for a missing token.

    ``keys`` needs no token. It must show the public keys.
    """
    names = [name for name, trigger in triggers().items() if isinstance(trigger, OnRequest)]
    with httpx.Client(timeout=ANSWER_WITHIN_SECONDS) as client:
        return [
            finding
            for name in names
            for finding in functions.area.ask(name, lambda name=name: [_answers(functions, client, name)])  # type: ignore[misc]  # mypy does not infer a lambda's default
        ]


def check_canary(functions: Functions, canary: Canary) -> list[Finding]:
    """Acquire, heartbeat, release, and check that the session ended. A failed heartbeat does not skip the release."""
    area = functions.area
    with httpx.Client(timeout=ANSWER_WITHIN_SECONDS, headers={"Authorization": f"Bearer {canary.token}"}) as client:
        return area.ask("canary", lambda: list(_story(functions, client, canary)))


def no_canary(functions: Functions, why: str) -> Finding:
    """A finding for a check without a canary."""
    return functions.area.unknown("canary", why, mend="see infra/docs/deploy.md#the-canary")


def _answers(functions: Functions, client: httpx.Client, name: str) -> Finding:
    method = "GET" if name in {"history", "keys", "usage"} else "POST"
    answer = _call(functions, client, name, None, method=method)
    shows_keys = answer.status == HTTPStatus.OK and bool(answer.body.get("keys"))
    if shows_keys if name == "keys" else answer.code == "TOKEN_MISSING":
        return functions.area.ok(name, "answers", milliseconds=answer.milliseconds)
    return _wrong(functions, name, name, answer)


def _story(functions: Functions, client: httpx.Client, canary: Canary) -> Iterator[Finding]:
    body = {"license_key": canary.license_key, "hardware_id": f"canary-{uuid4().hex}"}
    acquired = _call(functions, client, "acquire", body)
    session_id = acquired.body.get("session_id")
    if acquired.status != HTTPStatus.CREATED or not isinstance(session_id, str):
        yield _wrong(functions, "canary: acquire", "acquire", acquired)
        return
    yield _quick(functions, "canary: acquire", "acquire", acquired)
    session = {"session_id": session_id}
    try:
        kept = _call(functions, client, "heartbeat", session)
    finally:
        released = _call(functions, client, "release", session)
    shown = _call(functions, client, "keys", None, method="GET")
    yield _is_verified(functions, acquired, shown)
    yield _expect(functions, "canary: heartbeat", "heartbeat", kept, status=HTTPStatus.OK)
    yield _expect(functions, "canary: release", "release", released, status=HTTPStatus.NO_CONTENT)
    late = _call(functions, client, "heartbeat", session)
    yield _expect(
        functions, "canary: session ended", "heartbeat", late, status=HTTPStatus.GONE, code="SESSION_RELEASED"
    )


def _is_verified(functions: Functions, acquired: _Answer, shown: _Answer) -> Finding:
    why = not_verified(acquired.body.get("lease_token"), shown.body, project=functions.project)
    if why is None:
        found = "signed with a key that keys shows"
        return functions.area.ok("canary: lease token", found, milliseconds=shown.milliseconds)
    return functions.area.wrong("canary: lease token", why, mend="see infra/docs/deploy.md#the-signing-keys")


def _call(
    functions: Functions, client: httpx.Client, name: str, body: dict[str, str] | None, *, method: str = "POST"
) -> _Answer:
    began = time.perf_counter()
    answer = client.request(method, functions.address(name), json=body)
    milliseconds = round((time.perf_counter() - began) * 1000)
    try:
        parsed = answer.json() if answer.content else {}
    except ValueError:
        parsed = None
    return _Answer(
        status=answer.status_code,
        body=parsed if isinstance(parsed, dict) else {},
        is_ours=isinstance(parsed, dict),
        milliseconds=milliseconds,
    )


def _expect(
    functions: Functions, subject: str, name: str, answer: _Answer, *, status: HTTPStatus, code: str = ""
) -> Finding:
    if (answer.status, answer.code) == (status, code):
        return _quick(functions, subject, name, answer)
    return _wrong(functions, subject, name, answer)


def _quick(functions: Functions, subject: str, name: str, answer: _Answer) -> Finding:
    if answer.milliseconds > SLOW_AFTER_MILLISECONDS:
        return functions.area.wrong(
            subject,
            f"{answer}, but only after {answer.milliseconds} ms",
            mend=f"run it again, because a cold start is slow; if it stays slow: {functions.logs(name)}",
            milliseconds=answer.milliseconds,
        )
    return functions.area.ok(subject, str(answer), milliseconds=answer.milliseconds)


_MENDS = {
    "TOKEN_INVALID": "use a token of this project: see infra/docs/deploy.md#the-canary",
    "TOKEN_EXPIRED": "make a new token, because an ID token is valid for one hour: see infra/docs/deploy.md#the-canary",
    "NO_ORGANIZATION": "give the canary's user the claim org_id, and create its organization's document: "
    "see infra/docs/deploy.md#the-canary",
    "LICENSE_NOT_FOUND": "use a license key of the canary's organization: see infra/docs/deploy.md#the-canary",
    "SEAT_LIMIT_REACHED": "give the canary's license more seats, or wait until the leases of earlier runs expire",
    "ORGANIZATION_SEAT_LIMIT_REACHED": "raise the cap of the canary's organization, or wait until the leases of "
    "earlier runs expire",
}


def _wrong(functions: Functions, subject: str, name: str, answer: _Answer) -> Finding:
    if not answer.is_ours and answer.status in _PLATFORM_REFUSES:
        found, mend = f"clients may not call it: the platform refuses ({answer.status})", functions.make_public(name)
    elif not answer.is_ours and answer.status == HTTPStatus.NOT_FOUND:
        found = f"there is no function at {functions.address(name)}"
        mend = f"gcloud run services list --region={functions.region} --project={functions.project}"
    else:
        found, mend = str(answer), _MENDS.get(answer.code) or functions.logs(name, answer.request_id)
    return functions.area.wrong(subject, found, mend=mend, milliseconds=answer.milliseconds)
