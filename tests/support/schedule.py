"""Call a scheduled function again and again, as the scheduler does."""

import time

import httpx

from infra.local.loopback import NO_TLS


def call_until_done(url: str, *, within: float = 60) -> httpx.Response:
    """Call it until a run is complete, so that nothing of what came before is left for it to do, and return its answer.

    The emulator's first queries of its life take seconds on a busy machine, longer than the function waits.
    """
    deadline = time.monotonic() + within
    while not (answer := httpx.post(url, verify=NO_TLS, timeout=within)).json().get("is_complete"):
        assert time.monotonic() < deadline, answer.text
    return answer
