"""The canary takes a seat, keeps it and gives it back. On the local stack; failures that it has not, from a server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from infra.build.signing_keys import new_key, private_text, public_text
from infra.build.triggers import OnRequest, deployed_name, triggers
from infra.doctor.canary import Canary, Functions, check_answering, check_canary
from infra.doctor.finding import Finding, Mark
from infra.local.stack import PROJECT
from infra.local.tokens import unsigned_token
from shared.edge.lease_tokens import LeaseTokens, PrivateKey
from tests.infra.little_server import little_server
from tests.infra.recorded_api import RecordedApi, recorded_api
from tests.infra.served import Served
from tests.rules.make import a_license, a_session
from tests.support.tenant import Tenant

FOR_CLIENTS = [name for name, trigger in triggers().items() if isinstance(trigger, OnRequest)]
STORY = ["canary: acquire", "canary: lease token", "canary: heartbeat", "canary: release", "canary: session ended"]


def functions_at(url: str) -> Functions:
    return Functions(url=url, project=PROJECT, region="us-central1")


@pytest.fixture
def functions(local_stack: Served) -> Functions:
    return functions_at(local_stack.state["base_url"])


def canary_of(tenant: Tenant, *, user: str = "m0", lifetime_seconds: int = 3600, key: str | None = None) -> Canary:
    token = unsigned_token(
        project=PROJECT, organization_id=tenant.organization_id, user_id=user, lifetime_seconds=lifetime_seconds
    )
    return Canary(token=token, license_key=key or tenant.license_key)


def the_one_wrong(findings: list[Finding]) -> Finding:
    (wrong,) = [finding for finding in findings if finding.mark is Mark.WRONG]
    return wrong


# Where


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://licenses.example.com", "https://licenses.example.com/v1/expire-sessions"),
        ("https://licenses.example.com/", "https://licenses.example.com/v1/expire-sessions"),
        ("https://r-p.cloudfunctions.net/{function}", "https://r-p.cloudfunctions.net/seatlease-expire-sessions"),
    ],
)
def test_functions_are_below_one_address_or_each_at_its_own(url: str, address: str) -> None:
    assert functions_at(url).address("expire_sessions") == address


def test_functions_are_called_each_at_its_own_address() -> None:
    with recorded_api() as platform:
        check_answering(functions_at(f"{platform.url}/{{function}}"))

    assert [heard.partition("/")[2] for heard in platform.heard] == [deployed_name(name) for name in FOR_CLIENTS]


# It works


def test_a_canary_takes_a_seat_keeps_it_and_gives_it_back_and_each_is_timed(
    functions: Functions, tenant: Tenant
) -> None:
    findings = check_canary(functions, canary_of(tenant))

    assert [finding.subject for finding in findings] == STORY
    assert [finding.found.partition(":")[0] for finding in findings] == [
        "201",
        "signed with a key that keys shows",
        "200",
        "204",
        "410 SESSION_RELEASED",
    ]
    assert {finding.mark for finding in findings} == {Mark.OK}
    assert all(finding.milliseconds for finding in findings)
    assert [session["end_reason"] for session in tenant.sessions()] == ["released"]


def test_two_canaries_at_once_do_not_disturb_each_other(functions: Functions, tenant: Tenant) -> None:
    for _ in range(2):
        check_canary(functions, canary_of(tenant))

    devices = {session["hardware_id"] for session in tenant.sessions()}

    assert len(devices) == 2


def test_every_function_for_clients_is_found_answering(functions: Functions) -> None:
    findings = check_answering(functions)

    assert [(finding.subject, finding.mark, finding.found) for finding in findings] == [
        (name, Mark.OK, "answers") for name in FOR_CLIENTS
    ]


def test_a_canary_shows_neither_its_token_nor_its_key() -> None:
    shown = repr(Canary(token="a-token", license_key="A-KEY"))

    assert "a-token" not in shown
    assert "A-KEY" not in shown


# It does not, because of the canary's own documents


def test_a_license_that_is_not_there_is_told(functions: Functions, tenant: Tenant) -> None:
    findings = check_canary(functions, canary_of(tenant, key="OTHER"))

    wrong = the_one_wrong(findings)
    assert (wrong.subject, wrong.found.partition(":")[0]) == ("canary: acquire", "404 LICENSE_NOT_FOUND")
    assert "infra/docs/deploy.md#the-canary" in str(wrong.mend)


def test_a_full_license_is_told(functions: Functions, tenant: Tenant) -> None:
    tenant.license().update({"max_concurrent_seats": 0})

    wrong = the_one_wrong(check_canary(functions, canary_of(tenant)))

    assert wrong.found.startswith("409 SEAT_LIMIT_REACHED: ")
    assert str(wrong.mend).startswith("give the canary's license more seats")


def test_a_refusal_without_a_known_cure_is_found_in_the_logs_by_its_request(
    functions: Functions, tenant: Tenant
) -> None:
    tenant.user("m0").update({"is_active": False})

    wrong = the_one_wrong(check_canary(functions, canary_of(tenant)))

    assert wrong.found.startswith("403 USER_INACTIVE: ")
    assert str(wrong.mend).startswith(
        'gcloud logging read \'resource.labels.service_name="seatlease-acquire" jsonPayload.request'
    )


def test_a_token_that_expired_is_told(functions: Functions, tenant: Tenant) -> None:
    wrong = the_one_wrong(check_canary(functions, canary_of(tenant, lifetime_seconds=-60)))

    assert wrong.found.startswith("401 TOKEN_EXPIRED: ")
    assert str(wrong.mend).startswith("make a new token, because an ID token is valid for one hour")


def test_a_user_of_no_organization_is_told(functions: Functions, tenant: Tenant) -> None:
    token = unsigned_token(project=PROJECT, organization_id=None, user_id="m0")

    wrong = the_one_wrong(check_canary(functions, Canary(token=token, license_key=tenant.license_key)))

    assert wrong.found.startswith("403 NO_ORGANIZATION: ")
    assert "org_id" in str(wrong.mend)


# It does not, because of what is deployed


def test_a_seat_that_comes_slowly_is_wrong(
    functions: Functions, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.doctor.canary.SLOW_AFTER_MILLISECONDS", 0)

    findings = check_canary(functions, canary_of(tenant))

    timed = [finding for finding in findings if finding.subject != "canary: lease token"]
    assert {finding.mark for finding in timed} == {Mark.WRONG}
    assert all(finding.found.endswith(f", but only after {finding.milliseconds} ms") for finding in timed)


KEY, OTHER = new_key(), new_key()
SHOWN = json.loads(public_text([KEY]))


def lease_token(key: PrivateKey = KEY, *, project: str = PROJECT, now: datetime | None = None) -> str:
    """A token as a deployed function signs it."""
    (signing,) = json.loads(private_text([key]))["keys"]
    now = now or datetime.now(UTC)
    tokens = LeaseTokens(jwt.PyJWK(signing), kid=key.kid, project=project)
    return tokens.sign(a_session(started_at=now), a_license(), organization_id="canary", now=now)


@pytest.fixture
def deployed() -> Iterator[RecordedApi]:
    """Functions that grant a seat and take it back, until a test says otherwise."""
    with recorded_api() as api:
        api.say("POST /v1/acquire", {"session_id": "abc", "lease_token": lease_token()}, status=201)
        api.say("GET /v1/keys", SHOWN)
        api.say("POST /v1/heartbeat", {"session_id": "abc"})
        api.say("POST /v1/release", None, status=204)
        yield api


CANARY = Canary(token="a-token", license_key="A-KEY")


def test_a_release_that_releases_nothing_is_wrong(deployed: RecordedApi) -> None:
    findings = check_canary(functions_at(deployed.url), CANARY)

    wrong = the_one_wrong(findings)
    assert (wrong.subject, wrong.found) == ("canary: session ended", "200")


def test_a_function_that_breaks_is_wrong_and_the_seat_is_given_back_nevertheless(deployed: RecordedApi) -> None:
    error = {"error": {"code": "INTERNAL", "message": "something went wrong", "request_id": "r-1"}}
    deployed.say("POST /v1/heartbeat", error, status=500)

    findings = check_canary(functions_at(deployed.url), CANARY)

    kept = next(finding for finding in findings if finding.subject == "canary: heartbeat")
    assert (kept.mark, kept.found) == (Mark.WRONG, "500 INTERNAL: something went wrong")
    assert 'service_name="seatlease-heartbeat" jsonPayload.request_id="r-1"' in str(kept.mend)
    assert "POST /v1/release" in deployed.heard


def test_a_function_that_hangs_up_could_not_be_checked_and_the_seat_is_given_back_nevertheless(
    deployed: RecordedApi,
) -> None:
    def hang_up(_: dict[str, list[str]]) -> tuple[int, object]:
        raise ConnectionResetError

    deployed.answers["POST /v1/heartbeat"] = hang_up

    (finding,) = check_canary(functions_at(deployed.url), CANARY)

    assert (finding.subject, finding.mark) == ("canary", Mark.UNKNOWN)
    assert deployed.heard[-1] == "POST /v1/release"


@pytest.mark.parametrize(
    ("acquired", "shown", "found"),
    [
        pytest.param({}, SHOWN, "the answer has no lease_token", id="nothing"),
        pytest.param({"lease_token": "?"}, SHOWN, "programs would reject it: ", id="no token"),
        pytest.param(
            {"lease_token": lease_token(OTHER)},
            SHOWN,
            f"signed with the key {OTHER.kid}, which keys does not show",
            id="a key that is not shown",
        ),
        pytest.param(
            {"lease_token": lease_token(project="another")}, SHOWN, "programs would reject it: ", id="a stranger"
        ),
        pytest.param(
            {"lease_token": lease_token(now=datetime.now(UTC) - timedelta(hours=1))},
            SHOWN,
            "programs would reject it: Signature has expired",
            id="a clock that is slow",
        ),
        pytest.param({"lease_token": lease_token()}, {"keys": []}, "programs would reject it: ", id="no keys"),
        pytest.param({"lease_token": lease_token()}, {}, "programs would reject it: ", id="no set of keys"),
    ],
)
def test_a_lease_that_no_program_can_verify_is_wrong(
    deployed: RecordedApi, acquired: dict[str, str], shown: object, found: str
) -> None:
    deployed.say("POST /v1/acquire", {"session_id": "abc", **acquired}, status=201)
    deployed.say("GET /v1/keys", shown)

    findings = check_canary(functions_at(deployed.url), CANARY)

    signed = next(finding for finding in findings if finding.subject == "canary: lease token")
    assert signed.mark is Mark.WRONG
    assert signed.found.startswith(found)
    assert signed.mend == "see infra/docs/deploy.md#the-signing-keys"


@pytest.mark.parametrize("status", [401, 403])
def test_functions_that_the_platform_lets_nobody_call_are_wrong_and_are_opened_by_the_command(status: int) -> None:
    with little_server(status) as platform:
        findings = check_answering(functions_at(platform.url))

    assert [finding.mark for finding in findings] == [Mark.WRONG] * len(FOR_CLIENTS)
    assert findings[0].found == f"clients may not call it: the platform refuses ({status})"
    assert findings[0].mend == (
        "gcloud run services add-iam-policy-binding seatlease-acquire --member=allUsers "
        f"--role=roles/run.invoker --region=us-central1 --project={PROJECT}"
    )


def test_functions_that_are_not_there_are_wrong() -> None:
    with little_server(404) as platform:
        findings = check_answering(functions_at(platform.url))

    assert findings[0].found == f"there is no function at {platform.url}/v1/acquire"


def test_a_function_that_does_not_start_is_wrong() -> None:
    with little_server(500) as platform:
        findings = check_answering(functions_at(platform.url))

    assert findings[0].found == "500, but the answer is not the function's"
    assert str(findings[0].mend).startswith(
        'gcloud logging read \'resource.labels.service_name="seatlease-acquire" severity>='
    )


def test_functions_that_cannot_be_reached_could_not_be_checked(unused_tcp_port: int) -> None:
    nowhere = functions_at(f"http://127.0.0.1:{unused_tcp_port}")

    findings = [*check_answering(nowhere), *check_canary(nowhere, CANARY)]

    assert [finding.mark for finding in findings] == [Mark.UNKNOWN] * (len(FOR_CLIENTS) + 1)
