"""``GET /v1/keys``: the public keys of the service, for whoever verifies the token of a lease."""

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.answers import answer
from shared.edge.http import http_function
from shared.edge.public_keys import CACHED, public_keys

published = public_keys()  # at import: an instance that has none to show does not start


@http_function("GET")
async def keys(_: Request) -> Response:
    """Show the keys to anybody: there is nothing secret in them."""
    return answer(published, headers=CACHED)
