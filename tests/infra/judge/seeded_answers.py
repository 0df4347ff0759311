"""One fault for each kind of violation that answers to clients, and messages, show."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from infra.judge.history import History, Message, Operation
from tests.infra.judge.mutations import TICK, committed, ends, starts
from tests.infra.judge.true_history import INSTANCES


def _answered(
    h: History,
    operation: Operation,
    of: str,
    *,
    number: int = 0,
    again: bool = False,
    **fields: Any,  # noqa: ANN401 the fields of a request
) -> History:
    """Change one answer, or add it once more, changed."""
    requests = list(h.requests or ())
    found = [at for at, each in enumerate(requests) if (each.operation, each.user_id) == (operation, of)]
    request = replace(requests[found[number]], **fields)
    if again:
        requests.append(request)
    else:
        requests[found[number]] = request
    return replace(h, requests=tuple(requests))


def _body(h: History, operation: Operation, user_id: str, *, number: int = 0) -> dict[str, Any]:
    found = [each for each in h.requests or () if (each.operation, each.user_id) == (operation, user_id)]
    return dict(found[number].body)


def _later(text: str, *, by: timedelta) -> str:
    return (datetime.fromisoformat(text) + by).isoformat()


def acknowledged_grant_lost(h: History) -> History:
    body = _body(h, Operation.ACQUIRE, "m2", number=-1)
    body["server_time"] = _later(body["server_time"], by=TICK)
    return _answered(h, Operation.ACQUIRE, "m2", number=-1, body=body)


def acknowledged_denial_lost(h: History) -> History:
    return _answered(h, Operation.ACQUIRE, "m2", again=True)


def acknowledged_release_lost(h: History) -> History:
    held = starts(h, "m2")[0].session_id
    last = max(each.answered_at for each in h.requests or () if each.answered_at is not None)
    return _answered(h, Operation.RELEASE, "m0", again=True, session_id=held, sent_at=last, answered_at=last + TICK)


def acknowledged_lease_cut(h: History) -> History:
    body = _body(h, Operation.ACQUIRE, "m1")
    body["lease_expires_at"] = _later(body["lease_expires_at"], by=TICK)
    return _answered(h, Operation.ACQUIRE, "m1", body=body)


def acknowledged_above_cap(h: History) -> History:
    body = _body(h, Operation.ACQUIRE, "m0", number=-1)
    return _answered(h, Operation.ACQUIRE, "m0", number=-1, body={**body, "seats": {"in_use": 1, "max": 1}})


def instance_cut_off(h: History) -> History:
    other = (Operation.RELEASE, "m5", INSTANCES[1])
    kept = [each for each in h.requests or () if (each.operation, each.user_id, each.instance_id) != other]
    return replace(h, requests=tuple(kept))


def answered_after_end(h: History) -> History:
    held = ends(h, "m1")[0]
    body = {**_body(h, Operation.HEARTBEAT, "m0"), "server_time": (committed(held) + TICK).isoformat()}
    return _answered(h, Operation.HEARTBEAT, "m0", again=True, user_id="m1", session_id=held.session_id, body=body)


def holder_refused(h: History) -> History:
    first = next(each for each in h.requests or () if each.session_id == starts(h, "m2")[0].session_id)
    assert first.answered_at is not None
    at = first.answered_at
    return _answered(h, Operation.HEARTBEAT, "m2", again=True, status=410, body={}, sent_at=at, answered_at=at)


def usage_mistold(h: History) -> History:
    body = _body(h, Operation.USAGE, "m2")
    body["organization"] = {**body["organization"], "in_use": body["organization"]["in_use"] + 1}
    return _answered(h, Operation.USAGE, "m2", body=body)


def grant_unasked(h: History) -> History:
    asked = tuple(each for each in h.requests or () if (each.operation, each.user_id) != (Operation.ACQUIRE, "m3"))
    return replace(h, requests=asked)


def unpublished(h: History) -> History:
    # A denial of this minute need not be published yet.
    dropped = next(each for each in h.messages or () if each.data["type"] != "session.denied")
    return replace(h, messages=tuple(each for each in h.messages or () if each is not dropped))


def published_uncommitted(h: History) -> History:
    first = (h.messages or ())[0]
    return replace(h, messages=(*(h.messages or ()), Message(data={**first.data, "event_id": "nobody-committed-it"})))


def published_differently(h: History) -> History:
    first, *others = h.messages or ()
    return replace(h, messages=(Message(data={**first.data, "actor": "somebody"}), *others))
