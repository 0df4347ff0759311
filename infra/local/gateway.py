"""The gateway: on one port, everything that calls the functions in the cloud.

- client functions under ``/v1/``, as with Firebase Hosting's rewrites, and the page for organizations beside them
- document events of the Firestore emulator, delivered as Eventarc does
- calls of the scheduled functions, as Cloud Scheduler makes them
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from infra.build.triggers import OnDocument, OnRequest, OnSchedule, public_path, triggers
from infra.local.emulators import triggered_by
from infra.local.eventarc import Eventarc, MalformedEventError, as_cloud_event
from infra.local.hosting import Hosting
from infra.local.loopback import NO_TLS
from infra.local.scheduler import scheduler

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade", "host"})
_METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"]


EVENTS_PATH = "/functions/projects/{project}/triggers/{trigger}"
"""The path to which the Firestore emulator posts document events. The emulator fixes it."""


def gateway(functions: Mapping[str, str], *, hosting: Hosting | None = None) -> Starlette:
    """Build the gateway. ``functions`` maps names to addresses. ``hosting`` is the page, if it is built."""
    called_by = triggers()
    for_clients = {public_path(name): name for name in functions if isinstance(called_by[name], OnRequest)}
    for_events = {name: url for name, url in functions.items() if isinstance(called_by[name], OnDocument)}
    on_schedule = {
        name: (trigger.schedule, functions[name])
        for name, trigger in called_by.items()
        if isinstance(trigger, OnSchedule) and name in functions
    }

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # The functions' servers close a connection after two idle seconds. The gateway closes it before they do.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=200, keepalive_expiry=1)
        async with httpx.AsyncClient(verify=NO_TLS, timeout=120, limits=limits) as client, Eventarc(client) as eventarc:
            app.state.client = client
            app.state.eventarc = eventarc
            clock = scheduler(on_schedule, client)
            clock.start()
            yield
            clock.shutdown(wait=False)

    async def forward(request: Request) -> Response:
        name = for_clients.get(f"/v1/{request.path_params['function']}")
        if name is None:
            return await no_such_path(request)
        # Raw bytes, because a header need not be ASCII.
        headers = [(key, value) for key, value in request.headers.raw if key.decode("latin-1") not in _HOP_BY_HOP]
        # As the platform's front end does: the client's own value stays on the left and is not trusted.
        headers.append((b"x-forwarded-for", (request.client.host if request.client else "unknown").encode()))
        headers.append((b"x-forwarded-host", request.headers.get("host", "").encode("latin-1")))
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

    async def take_event(request: Request) -> Response:
        name = triggered_by(request.path_params["trigger"])
        if name not in for_events:
            return PlainTextResponse(f"no document event calls {name}\n", status_code=404)
        try:
            event = as_cloud_event(await request.json())
        except (MalformedEventError, ValueError) as error:
            return PlainTextResponse(f"{error}\n", status_code=400)
        eventarc: Eventarc = request.app.state.eventarc
        eventarc.deliver(event, for_events[name])
        return Response(status_code=202)

    async def page(request: Request) -> Response:
        answer = None if hosting is None else hosting.answer(request)
        return answer or await no_such_path(request)

    async def no_such_path(_: Request) -> Response:
        paths = ", ".join(for_clients)
        return PlainTextResponse(f"no such path. The paths are {paths}\n", status_code=404)

    routes = [
        Route("/v1/{function}", forward, methods=_METHODS),
        Route(EVENTS_PATH, take_event, methods=["POST"]),
        Route("/{path:path}", page, methods=_METHODS),
    ]
    # A web page can let a name of its own lead to 127.0.0.1. The browser then takes the gateway for a part of the page.
    own_names = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"], www_redirect=False)
    return Starlette(routes=routes, lifespan=lifespan, middleware=[own_names])


def serve_gateway(functions: Mapping[str, str], *, port: int, hosting: Hosting | None = None) -> None:
    """Serve the gateway until the process gets a signal to stop."""
    uvicorn.run(
        gateway(functions, hosting=hosting),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        proxy_headers=False,
        # The functions send their own header, which is passed on.
        server_header=False,
        date_header=False,
    )
