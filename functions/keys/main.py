"""``GET /v1/keys``: the public keys that verify lease tokens."""

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.answers import answer
from shared.edge.http import http_function
from shared.edge.public_keys import CACHED, public_keys

published = public_keys()  # at import, so that an instance without keys does not start


@http_function("GET")
async def keys(_: Request) -> Response:
    """Answer the keys without a check of the caller: they are public."""
    return answer(published, headers=CACHED)
