"""Hypothesis strategies for requests that are at least similar to HTTP, as bytes to send."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from shared.edge.requests import MAX_BODY_BYTES

_CHARACTERS = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")
_BYTES = st.text(_CHARACTERS, max_size=30).map(lambda text: text.encode("latin-1"))
_ODD_TEXTS = [
    "",
    " ",
    "\x00",
    "\u202e",
    "\U0001f600" * 20,
    "x" * 257,
    "../users/olivia",
    "a/b",
    "__x__",
    "é",
    "null",
    "1",
]
_TEXTS = st.sampled_from(_ODD_TEXTS) | st.text(max_size=20)
_NUMBERS = st.integers() | st.floats() | st.sampled_from([2**63, -(2**63), 10**400, 253_402_300_800])
_NAMES = (
    *("license_key", "hardware_id", "session_id", "instance_id", "idle_seconds", "nonce"),
    *("organization_id", "page_token", "page_size", "é", ""),
)


def _json(depth: int = 3) -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | _NUMBERS | _TEXTS
    names = st.sampled_from(_NAMES) | _TEXTS
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
        max_leaves=2**depth,
    )


@dataclass(frozen=True, kw_only=True)
class Knowing:
    """What there is for a client to name: some of it is right, or nothing would get past the first refusal."""

    tokens: Sequence[str]
    claims: Mapping[str, Any]
    license_keys: Sequence[str]
    session_ids: Sequence[str]


def _part(value: Any) -> str:  # noqa: ANN401 whatever JSON holds
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _tokens(known: Knowing) -> st.SearchStrategy[str]:
    """Valid ones; those of whom nobody has seen the like; and what is no token."""
    names = st.sampled_from([*known.claims, "org_id", "uid", "firebase", "d", "v"])
    claims = st.dictionaries(names, _json() | st.just(0), max_size=3).map(lambda changes: {**known.claims, **changes})
    header = st.sampled_from([{"alg": "none"}, {"alg": "HS256"}, {"alg": "RS256", "kid": "key-1"}]) | st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit"]), _json(), max_size=3
    )
    deep = st.integers(1, 2_500).map(lambda depth: urlsafe_b64encode(b"[" * depth).rstrip(b"=").decode())
    made_up = st.builds(
        "{}.{}.{}".format, (header | _json()).map(_part) | deep, (claims | _json()).map(_part) | deep, st.just("")
    )
    return st.sampled_from(list(known.tokens)) | made_up | _BYTES.map(lambda text: text.decode("latin-1"))


def _bodies(known: Knowing) -> st.SearchStrategy[bytes]:
    fields = {
        "license_key": st.sampled_from(list(known.license_keys)),
        "hardware_id": st.sampled_from(["laptop", "desk"]),
        "session_id": st.sampled_from(list(known.session_ids)),
    }
    nonce = {"nonce": st.sampled_from(["n" * 16, "n" * 64, None])}
    acquire = st.fixed_dictionaries({name: fields[name] for name in ("license_key", "hardware_id")}, optional=nonce)
    idle = {"idle_seconds": st.sampled_from([0, 59, 86_400, 2**53, None])}
    right = acquire | st.fixed_dictionaries({"session_id": fields["session_id"]}, optional={**nonce, **idle})
    nearly = st.tuples(right, st.dictionaries(st.sampled_from(_NAMES), _json(), max_size=2)).map(
        lambda both: {**both[0], **both[1]}
    )
    told = (right | nearly | _json()).map(lambda value: json.dumps(value).encode())
    large = st.integers(MAX_BODY_BYTES - 2, MAX_BODY_BYTES + 2).map(lambda size: b" " * size)
    deep = st.integers(1, MAX_BODY_BYTES - 20).map(lambda depth: b'{"license_key": ' + b"[" * depth)
    return told | told | told | st.binary(max_size=100) | large | deep


_LENGTHS = st.sampled_from(
    [b"0", b"00", b"-1", b"+1", b"1e3", b"0x10", b"\xb2", b"9" * 30, b"0" * 5_000, b"16385", b"1, 1"]
)
_HEADERS = st.one_of(
    st.tuples(st.just(b"X-Forwarded-For"), st.sampled_from([b"", b",", b"::1%x", b"1.2.3.4:5", b"a" * 5_000]) | _BYTES),
    st.tuples(st.just(b"X-Request-Id"), st.sampled_from([b"12345678", b"a" * 65, b"a\tb"]) | _BYTES),
    st.tuples(st.just(b"traceparent"), st.sampled_from([b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"]) | _BYTES),
    st.tuples(st.just(b"User-Agent"), _BYTES),
    st.tuples(st.just(b"Expect"), st.sampled_from([b"100-continue", b"?"])),
    st.tuples(
        st.just(b"Content-Type"), st.sampled_from([b"text/plain", b"application/json; charset=utf-16", b";"]) | _BYTES
    ),
    st.tuples(st.just(b"Transfer-Encoding"), st.sampled_from([b"chunked", b"gzip, chunked", b"x"])),
    st.tuples(st.just(b"Content-Length"), _LENGTHS),
    st.tuples(st.just(b"Content-Encoding"), st.sampled_from([b"gzip", b"br"])),
    st.tuples(_BYTES, _BYTES),
)
_QUERIES = st.lists(
    st.tuples(st.sampled_from([*_NAMES, "page_size", "page_token"]), _TEXTS | st.integers().map(str)), max_size=3
)


@st.composite
def requests(draw: st.DrawFn, known: Knowing, *, method: str) -> bytes:
    """One request, which says itself that it is the last of its connection, and what may come behind it."""
    verb = (
        method
        if draw(st.integers(0, 9))
        else draw(st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PATCH", "TRACE"]))
    )
    target = draw(
        st.just("/") | st.sampled_from(["//", "/%2e%2e/", "/%00", "/robots.txt", "http://x/y", "/v1/acquire"])
    )
    query = "&".join(f"{name}={value}" for name, value in draw(_QUERIES)) if draw(st.booleans()) else ""
    # Two of three times nothing is wrong with it but what it holds.
    body = draw(_bodies(known)) if verb != "GET" or not draw(st.integers(0, 4)) else b""
    headers = [(b"Host", b"x"), (b"Connection", b"close")]
    if draw(st.integers(0, 9)):
        headers.append((b"Authorization", b"Bearer " + draw(_tokens(known)).strip().encode("utf-8", "replace")))
    odd = draw(st.lists(_HEADERS, max_size=3)) if not draw(st.integers(0, 2)) else []
    if not any(name in {b"Content-Length", b"Transfer-Encoding"} for name, _ in odd):
        headers.append((b"Content-Length", b"%d" % len(body)))
    if not any(name == b"Content-Type" for name, _ in odd):
        headers.append((b"Content-Type", b"application/json"))
    lines = [b"%s: %s" % (name, value.replace(b"\n", b"").replace(b"\r", b"")) for name, value in (*headers, *odd)]
    start = f"{verb} {target}?{query} HTTP/1.1" if query else f"{verb} {target} HTTP/1.1"
    head = b"\r\n".join([start.encode("utf-8", "replace"), *lines, b"", b""])
    return head + body
