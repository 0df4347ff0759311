"""How a review record remembers the value of a field that admins edit: as JSON."""

import json
from datetime import datetime
from hashlib import sha256

from shared.firestore.values import Opaque

_LONGEST = 500
_READABLE = 100


def remembered(value: object) -> str:
    """The value in JSON. A long one is cut to its beginning and a hash."""
    text = json.dumps(value, default=_odd, sort_keys=True, ensure_ascii=False)
    if len(text) <= _LONGEST:
        return text
    return json.dumps(f"{text[:_READABLE]}… ({sha256(text.encode()).hexdigest()[:16]})", ensure_ascii=False)


def _odd(value: object) -> dict[str, str | None]:
    """A map for a value that JSON does not know. A time must differ from the same text: to replace one is an edit."""
    match value:
        case datetime():
            return {"timestamp": value.isoformat()}
        case Opaque(kind=kind):
            return {kind.removesuffix("_value"): None}
        case _:
            message = f"no document holds a {type(value)}"
            raise TypeError(message)
