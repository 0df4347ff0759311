"""Requests that no library would send, straight to the server that the platform starts: each is answered or refused as
one request and never taken apart into two, and none is a fault of ours.
"""

import json
from collections.abc import Mapping

import pytest
from google.cloud import firestore

from infra.local.processes import Process
from infra.local.tokens import unsigned_token
from tests.support.client import Clients
from tests.support.raw import Answer, answers
from tests.support.servers import StartServers
from tests.support.tenant import Tenant

SECOND = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""What would be answered with 405 if it were taken for a request of its own."""


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    return Tenant.create(console, seats=50)


@pytest.fixture
def url(servers: Mapping[str, Process]) -> str:
    """The server of acquire."""
    return servers["acquire"].url


@pytest.fixture
def token(project: str, tenant: Tenant) -> bytes:
    return unsigned_token(project=project, organization_id=tenant.organization_id, user_id="m0").encode()


@pytest.fixture
def body(tenant: Tenant) -> bytes:
    return json.dumps({"license_key": tenant.license_key, "hardware_id": "H"}).encode()


def _post(token: bytes, *headers: bytes) -> bytes:
    usual = (b"POST / HTTP/1.1", b"Host: x", b"Content-Type: application/json", b"Authorization: Bearer " + token)
    return b"\r\n".join([*usual, *headers, b"", b""])


def _chunked(body: bytes, *, size: bytes = b"%x", line: bytes = b"\r\n") -> bytes:
    return line.join([size % len(body), body, b"0", b"", b""])


def _refused_whole(got: list[Answer]) -> bool:
    """Whether one answer came, which refuses, and then the connection was closed."""
    return [answer.status for answer in got] == [400]


# Where a request ends

BOTH = b"Content-Length: 6\r\nTransfer-Encoding: chunked"


@pytest.mark.parametrize(
    "framing",
    [
        pytest.param(BOTH, id="CL.TE"),
        pytest.param(b"Transfer-Encoding: chunked\r\nContent-Length: 6", id="TE.CL"),
        pytest.param(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", id="TE.TE, the last unknown"),
        pytest.param(
            b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 6", id="TE.TE and a length"
        ),
        pytest.param(b"Transfer-Encoding: xchunked", id="an unknown encoding"),
        pytest.param(b"Transfer-Encoding: chunked, identity", id="chunked is not the last"),
        pytest.param(b"Transfer-Encoding: chunked;q=1", id="chunked with a parameter"),
        pytest.param(b'Transfer-Encoding: "chunked"', id="chunked in quotes"),
        pytest.param(b"Transfer-Encoding: \x0bchunked", id="a vertical tab before chunked"),
        pytest.param(b"Transfer-Encoding : chunked", id="a space before the colon"),
        pytest.param(b"Transfer-Encoding: chunked\r\n ,x", id="folded"),
        pytest.param(b"X: a\r\n Content-Length: 6", id="a folded length"),
        pytest.param(b"Content-Length: 6\r\nContent-Length: 6", id="two lengths"),
        pytest.param(b"Content-Length: 6\r\nContent-Length: 7", id="two different lengths"),
        pytest.param(b"Content-Length: 6, 6", id="a list of lengths"),
        pytest.param(b"Content-Length: +6", id="a length with a sign"),
        pytest.param(b"Content-Length: -6", id="a negative length"),
        pytest.param(b"Content-Length: 0x6", id="a hexadecimal length"),
        pytest.param(b"Content-Length: 6 6", id="a length with a gap"),
        pytest.param(b"Content-Length: 99999999999999999999", id="a length beyond 64 bits"),
        pytest.param(b"X: a\nContent-Length: 6", id="a bare line feed"),
        pytest.param(b"X: a\rContent-Length: 6", id="a bare carriage return"),
        pytest.param(b"X: a\x00b", id="NUL in a header"),
        pytest.param(b"X y: a", id="a space in a header's name"),
        pytest.param(b": a", id="a header without a name"),
        pytest.param(b"nothing", id="a header without a colon"),
    ],
)
def test_a_request_whose_end_is_in_doubt_is_refused_whole(
    url: str, token: bytes, tenant: Tenant, framing: bytes
) -> None:
    got = answers(url, _post(token, framing), b"0\r\n\r\nX", SECOND)

    assert _refused_whole(got)
    assert tenant.sessions() == []


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(b"0x5\r\n12345\r\n0\r\n\r\n", id="a size with a prefix"),
        pytest.param(b"-1\r\n", id="a negative size"),
        pytest.param(b"fffffffffffffffff\r\n", id="a size beyond 64 bits"),
        pytest.param(b"5;a\n12345\r\n0\r\n\r\n", id="an extension that ends in a bare line feed"),
        pytest.param(b"5\n12345\n0\n\n", id="bare line feeds"),
        pytest.param(b"5\r\n123456\r\n0\r\n\r\n", id="more than the size"),
        pytest.param(b"\r\n", id="no size"),
    ],
)
def test_chunks_of_a_wrong_form_are_refused_whole(url: str, token: bytes, tenant: Tenant, chunks: bytes) -> None:
    got = answers(url, _post(token, b"Transfer-Encoding: chunked"), chunks, SECOND)

    # The request is under way by then: it is answered, or the connection is closed upon it.
    assert {answer.status for answer in got} <= {400}
    assert tenant.sessions() == []


@pytest.mark.parametrize(
    ("encoding", "size"),
    [
        pytest.param(b"chunked", b"%x", id="plainly"),
        pytest.param(b"CHUNKED", b"%X", id="in capitals"),
        pytest.param(b"\t chunked", b"000%x", id="behind white space, and noughts before the size"),
        pytest.param(b"identity, chunked", b"%x", id="last in a list"),
        pytest.param(b"chunked", b'%x;a="b;c"', id="with an extension"),
    ],
)
def test_a_chunked_request_ends_where_its_chunks_end(
    url: str, token: bytes, body: bytes, encoding: bytes, size: bytes
) -> None:
    got = answers(url, _post(token, b"Transfer-Encoding: " + encoding), _chunked(body, size=size), SECOND)

    assert [answer.status for answer in got] == [201, 405]


def test_what_comes_behind_the_chunks_is_no_header(url: str, token: bytes, body: bytes) -> None:
    ended = _chunked(body).removesuffix(b"\r\n")

    got = answers(
        url,
        _post(b"x" + token, b"Transfer-Encoding: chunked"),
        ended,
        b"Authorization: Bearer ",
        token,
        b"\r\n\r\n",
        SECOND,
    )

    assert [answer.status for answer in got] == [401, 405]


def test_requests_in_a_row_are_answered_in_their_order(url: str, token: bytes, body: bytes) -> None:
    request = _post(token, b"Content-Length: %d" % len(body)) + body

    got = answers(url, request * 3, SECOND)

    assert [answer.status for answer in got] == [201, 200, 200, 405]


def test_what_follows_a_body_that_is_too_large_is_not_taken_from_it(url: str, token: bytes) -> None:
    got = answers(url, _post(token, b"Content-Length: 20000"), SECOND.ljust(20_000), SECOND)

    assert [answer.status for answer in got] == [413, 405]


def test_a_length_with_thousands_of_noughts_is_the_number_behind_them(url: str, token: bytes, body: bytes) -> None:
    padded = b"0" * 5_000

    got = answers(
        url,
        _post(token, b"Content-Length: " + padded + b"%d" % len(body)) + body,
        _post(token, b"Connection: close", b"Content-Length: " + padded + b"20000") + b" " * 20_000,
    )

    assert [answer.status for answer in got] == [201, 413]


# What a header says twice, or says of somebody else


def test_of_two_tokens_the_first_counts_and_the_other_one_never(
    url: str, token: bytes, body: bytes, tenant: Tenant, project: str
) -> None:
    owner = unsigned_token(project=project, organization_id=tenant.organization_id, user_id="olivia").encode()
    rest = (b"Connection: close", b"Content-Length: %d" % len(body))

    (taken,) = answers(url, _post(token, b"Authorization: Bearer " + owner, *rest), body)
    (refused,) = answers(url, _post(b"x.y.z", b"Authorization: Bearer " + token, *rest), body)

    assert (taken.status, refused.status, refused.code) == (201, 401, "TOKEN_INVALID")
    assert [session["user_id"] for session in tenant.sessions()] == ["m0"]


def test_of_two_media_types_the_first_counts(url: str, token: bytes, body: bytes) -> None:
    length = b"Content-Length: %d" % len(body)
    other = _post(token, b"Connection: close", length).replace(
        b"application/json", b"text/plain\r\nContent-Type: application/json"
    )

    (refused,) = answers(url, other, body)

    assert (refused.status, refused.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


FORWARDED = [
    pytest.param(["6.6.6.6, 203.0.113.9"], "203.0.113.9", id="the last of a list"),
    pytest.param(["203.0.113.9", "6.6.6.6"], "6.6.6.6", id="the last of two headers"),
    pytest.param(["6.6.6.6,,203.0.113.9"], "203.0.113.9", id="beside a gap"),
    pytest.param(["203.0.113.9,"], None, id="an empty last one"),
    pytest.param(["203.0.113.9:443"], None, id="with a port"),
    pytest.param(["2001:DB8::0:1"], "2001:db8::1", id="of the sixth version"),
    pytest.param(["[2001:db8::1]"], None, id="in brackets"),
    pytest.param(["fe80::1%<script>"], None, id="with a zone of any text"),
    pytest.param(["fe80::1%" + "x" * 50_000], None, id="with a zone of any length"),
    pytest.param(["localhost"], None, id="a name"),
    pytest.param(["0x7f.1"], None, id="in hexadecimal"),
    pytest.param([], None, id="none at all"),
]


@pytest.mark.parametrize(("sent", "kept"), FORWARDED)
def test_what_is_kept_as_the_address_is_one_and_what_the_nearest_proxy_saw(
    url: str, token: bytes, body: bytes, tenant: Tenant, sent: list[str], kept: str | None
) -> None:
    headers = [b"X-Forwarded-For: " + each.encode() for each in sent]

    (answer,) = answers(url, _post(token, *headers, b"Connection: close", b"Content-Length: %d" % len(body)), body)

    assert answer.status == 201
    assert [session["ip_address"] for session in tenant.sessions()] == [kept]


async def test_who_connects_directly_has_no_other_address_shown(
    start_servers: StartServers, clients: Clients, tenant: Tenant, token: bytes, body: bytes
) -> None:
    direct = start_servers("acquire", SEATLEASE_TRUSTED_PROXY_HOPS="0")["acquire"]
    rest = (b"Connection: close", b"Content-Length: %d" % len(body))

    (lied,) = answers(direct, _post(token, b"X-Forwarded-For: 6.6.6.6", *rest), body)
    shown = [session["ip_address"] for session in tenant.sessions()]
    await clients.of(tenant, hardware_id="H").release(lied.json["session_id"])
    answers(direct, _post(token, *rest), body)

    assert shown == [None]
    assert [session["ip_address"] for session in tenant.sessions()] == ["127.0.0.1"]


# Targets, methods and versions


@pytest.mark.parametrize(
    ("line", "status"),
    [
        pytest.param(b"POST // HTTP/1.1", 401, id="two slashes"),
        pytest.param(b"POST /%2e%2e/%2e%2e/etc/passwd HTTP/1.1", 401, id="upwards"),
        pytest.param(b"POST /%00 HTTP/1.1", 401, id="NUL"),
        pytest.param(b"POST /%ff HTTP/1.1", 401, id="no UTF-8"),
        pytest.param(b"POST http://elsewhere/v1/acquire HTTP/1.1", 401, id="absolute"),
        pytest.param(b"POST http://elsewhere HTTP/1.1", 400, id="absolute, without a path"),
        pytest.param(b"POST /\xff HTTP/1.1", 400, id="bare bytes"),
        pytest.param(b"POST /a b HTTP/1.1", 400, id="a space"),
        pytest.param(b"POST http://[ HTTP/1.1", 400, id="half an address"),
        pytest.param(b"POST * HTTP/1.1", 404, id="a star"),
        pytest.param(b"POST /" + b"a" * 70_000 + b" HTTP/1.1", 400, id="70 kB"),
        pytest.param(b"TRACE / HTTP/1.1", 405, id="TRACE"),
        pytest.param(b"CONNECT elsewhere:80 HTTP/1.1", 400, id="CONNECT"),
        pytest.param(b"post / HTTP/1.1", 400, id="a method in small letters"),
        pytest.param(b"POST / HTTP/1.0", 401, id="HTTP/1.0"),
        pytest.param(b"POST / HTTP/3.0", 400, id="HTTP/3.0"),
        pytest.param(b"PRI * HTTP/2.0", 400, id="HTTP/2"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS"),
    ],
)
def test_a_target_leads_to_the_function_or_nowhere(url: str, line: bytes, status: int) -> None:
    got = answers(url, line, b"\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    assert [answer.status for answer in got] == [status]


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_no_other_protocol_is_taken_up(url: str, protocol: bytes) -> None:
    headers = b"Host: x\r\nConnection: Upgrade, close\r\nUpgrade: %s\r\nSec-WebSocket-Version: 13\r\n\r\n" % protocol

    got = answers(url, b"GET / HTTP/1.1\r\n", headers)

    assert [(answer.status, answer.code) for answer in got] == [(405, "METHOD_NOT_ALLOWED")]
