"""Hypothesis strategies for document events, valid as from the platform and malformed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.support.cloud_event import CloudEvent

_TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00")
_ODD = ["", "/", "a/b/c/d", "organizations", "organizations//users/", "organizations/./users/..", "__x__", "x" * 2_000]
_BODIES = ["", "{}", "[]", "null", '{"specversion": "1.0"}', "[" * 3_000]
_MEDIA_TYPES = [
    *("application/protobuf", "application/json", "application/cloudevents+json", "application/cloudevents-batch+json"),
    *("text/plain", "", "application/cloudevents+json; charset=x", "multipart/form-data; boundary=a"),
]


@dataclass(frozen=True, kw_only=True)
class Posted:
    """What is sent to a function that takes events."""

    headers: dict[bytes, bytes]
    body: bytes

    @property
    def request(self) -> bytes:
        """The bytes to send. No library is between: it would refuse half of it."""
        told = {**self.headers, b"content-length": b"%d" % len(self.body), b"connection": b"close"}
        lines = [b"%s: %s" % each for each in told.items()]
        return b"\r\n".join([b"POST / HTTP/1.1", b"host: x", *lines, b"", self.body])


def paths(organization_id: str, documents: Sequence[str]) -> st.SearchStrategy[str]:
    """Paths of documents that are there, of some that could be, and of none."""
    text = st.text(_TEXT, max_size=20)
    names = ["users", "licenses", "sessions", "audit_events", "usage", "reviews", "waiting"]
    collection = st.sampled_from(names) | text
    below = st.builds("organizations/{}/{}/{}".format, st.just(organization_id) | text, collection, text)
    return st.sampled_from(list(documents)) | below | st.sampled_from(_ODD) | st.text(_TEXT, max_size=60)


@st.composite
def binary(draw: st.DrawFn, project: str, path: st.SearchStrategy[str]) -> Posted:
    """Attributes in headers, a protobuf body: some of it missing, or of another form."""
    event = CloudEvent(
        project=project,
        path=draw(path),
        kind=draw(st.sampled_from(["created", "written", "deleted"])),
        event_id=draw(st.just("an-event") | st.text(_TEXT, max_size=30)),
    )
    headers = {name: value.replace(b"\n", b"").strip() for name, value in event.headers.items()}
    for name in draw(st.lists(st.sampled_from(sorted(headers)), max_size=2)):
        odd = st.binary(max_size=30).map(lambda value: value.translate(None, bytes([*range(32), 127])).strip())
        headers[name] = draw(odd)
    gone = draw(st.lists(st.sampled_from(sorted(headers)), max_size=1)) if not draw(st.integers(0, 3)) else []
    kept = {name: value for name, value in headers.items() if name not in gone}
    body = draw(st.just(event.body) | st.binary(max_size=100) | st.sampled_from(_BODIES).map(str.encode))
    return Posted(headers=kept, body=body)


@st.composite
def structured(draw: st.DrawFn, project: str, path: st.SearchStrategy[str]) -> Posted:
    """Attributes and data in one JSON body."""
    anything: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just(["a"])
    event: dict[str, Any] = {**CloudEvent(project=project, path=draw(path)).attributes, "data": draw(anything)}
    event |= draw(st.dictionaries(st.sampled_from([*event, "datacontenttype", "data_base64"]), anything, max_size=2))
    body = json.dumps(event).encode() if draw(st.integers(0, 4)) else draw(st.sampled_from(_BODIES)).encode()
    return Posted(headers={b"content-type": draw(st.sampled_from(_MEDIA_TYPES)).encode()}, body=body)
