"""The gateway: every function under ``/v1/`` on one port, as Firebase Hosting's rewrites do it in the cloud."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade", "host"})
_METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"]


def gateway(functions: Mapping[str, str]) -> Starlette:
    """Build the gateway: ``functions`` maps names to the addresses where they are served."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # The functions' servers close a connection that is idle for two seconds; we close it before they do.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=200, keepalive_expiry=1)
        async with httpx.AsyncClient(timeout=30, limits=limits) as client:
            app.state.client = client
            yield

    async def forward(request: Request) -> Response:
        name = request.path_params["function"]
        if name not in functions:
            return await no_such_path(request)
        headers = [(key, value) for key, value in request.headers.items() if key not in _HOP_BY_HOP]
        # As the platform's front end does: what the client sent stays on the left and is not to be trusted.
        headers.append(("x-forwarded-for", request.client.host if request.client else "unknown"))
        headers.append(("x-forwarded-host", request.headers.get("host", "")))
        client: httpx.AsyncClient = request.app.state.client
        try:
            answer = await client.request(
                request.method,
                functions[name] + "/",
                headers=headers,
                content=request.stream(),
                params=request.query_params,
            )
        except httpx.TransportError:
            return PlainTextResponse(f"the function {name} does not answer\n", status_code=502)
        response = Response(answer.content, status_code=answer.status_code)
        response.raw_headers = [
            (key.lower(), value) for key, value in answer.headers.raw if key.lower().decode() not in _HOP_BY_HOP
        ]
        return response

    async def no_such_path(_: Request) -> Response:
        paths = ", ".join(f"/v1/{name}" for name in functions)
        return PlainTextResponse(f"not here; there is {paths}\n", status_code=404)

    routes = [
        Route("/v1/{function}", forward, methods=_METHODS),
        Route("/{path:path}", no_such_path, methods=_METHODS),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def serve_gateway(functions: Mapping[str, str], *, port: int) -> None:
    """Serve the gateway until it is told to stop."""
    uvicorn.run(
        gateway(functions),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        proxy_headers=False,
        # The functions' own are passed on.
        server_header=False,
        date_header=False,
    )
