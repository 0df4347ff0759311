"""Sign-in through a browser: which page is opened, and what answers become that the service does not give."""

import json

import pytest

from seatlease._service import first_answer
from seatlease._service.browser_sign_in import NotOffered, ToConfirm, page_of, sign_in_through_browser
from seatlease.errors import SeatleaseError, ServiceUnreachable, SignInRequired
from tests.client.answering import Answer, answering, told

OURS = "https://licenses.example.com"
_BEGUN = {
    "sign_in_id": "a" * 26,
    "user_code": "BCDF-GHJK",
    "verification_path": "/cli",
    "expires_in_seconds": 600,
    "poll_seconds": 0.01,
}


def _refused(code: str, status: int) -> Answer:
    error = {"code": code, "message": "M.", "retryable": False, "request_id": "r" * 32, "details": {}}
    return told({"error": error}, status=status)


def test_the_page_is_one_of_the_services_own() -> None:
    assert page_of(OURS, "/cli?sign_in=abc") == f"{OURS}/cli?sign_in=abc"
    assert page_of(f"{OURS}/prefix", "/cli") == f"{OURS}/prefix/cli"


@pytest.mark.parametrize(
    "path",
    ["https://elsewhere.example/cli", "cli", "@elsewhere.example/cli", ".elsewhere.example", ":8443/cli", "", "/\x1b"],
)
def test_a_page_elsewhere_is_not_opened(path: str) -> None:
    with pytest.raises(ServiceUnreachable, match="not its own"):
        page_of(OURS, path)


async def test_a_device_asks_until_it_is_confirmed_and_proves_that_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[ToConfirm] = []
    pending, refused = _refused("SIGN_IN_PENDING", 409), _refused("SIGN_IN_REFUSED", 403)
    monkeypatch.setattr(first_answer, "WITHIN_SECONDS", 0.0)
    with answering(told(_BEGUN, status=201), pending, pending, refused) as server:
        url = f"http://{server.host}"

        with pytest.raises(SignInRequired, match="refused in the browser"):
            await sign_in_through_browser(service_url=url, api_key="k", listen=False, tell=heard.append)

    assert heard == [ToConfirm(page=f"{url}/cli", user_code="BCDF-GHJK", within_seconds=600)]
    begun, *exchanges = [json.loads(body) for _, body in server.heard]
    assert (begun["step"], len(begun["code_challenge"]), "loopback_port" in begun) == ("begin", 43, False)
    assert [each["step"] for each in exchanges] == ["exchange"] * 3
    assert len({each["code_verifier"] for each in exchanges}) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=404, content=b"<html>"), NotOffered),
        (Answer(status=405, content=b""), NotOffered),
        (Answer(status=200, content=b"<html>"), ServiceUnreachable),
        (told({**_BEGUN, "sign_in_id": 7}, status=201), ServiceUnreachable),
        (told({**_BEGUN, "expires_in_seconds": -1}, status=201), ServiceUnreachable),
        (told({**_BEGUN, "verification_path": "https://elsewhere.example"}, status=201), ServiceUnreachable),
        (_refused("SIGN_IN_EXPIRED", 404), SignInRequired),
    ],
)
async def test_what_is_no_answer_of_the_service_signs_nobody_in(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, error: type[SeatleaseError | NotOffered]
) -> None:
    monkeypatch.setattr(first_answer, "WITHIN_SECONDS", 0.0)
    with answering(answer) as server, pytest.raises(error):
        await sign_in_through_browser(
            service_url=f"http://{server.host}", api_key="k", listen=True, tell=lambda _: None
        )
