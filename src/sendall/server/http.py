"""What the server says over HTTP: for whom it answers, and what it is.

The gate before everything else: Host allow-list, one redirect to https for plain HTTP that is not
served, security headers. Behind it a Starlette application. Knows nothing of rooms; WebSockets pass
it by (`websocket`), with the same policy.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sendall.server.hosts import HostPolicy
from sendall.server.peers import Place
from sendall.server.websocket import PATH

_SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

_ABOUT = """\
This is a sendall server: encrypted rooms where everyone hears everyone.

Join from a terminal:

    sendall join {address}

Who can read: in an open room its members and whoever runs this server. Nobody on the
network between, and nobody who gets hold of the stored messages alone.
"""


def http_app(policy: HostPolicy) -> ASGIApp:
    """Return the application of one server, its gate included."""
    app = Starlette(routes=[Route("/", _about), Route(PATH, _needs_upgrade)])
    app.router.redirect_slashes = False
    return _Gate(app, policy)


class _Gate:
    """Lets requests pass that are meant for this server and came in a way it serves."""

    def __init__(self, app: ASGIApp, policy: HostPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_SECURITY_HEADERS)
            await send(message)

        await self._answer(scope)(scope, receive, send_with_headers)

    def _answer(self, scope: Scope) -> ASGIApp:
        place: Place = scope["state"]["place"]
        hosts = Headers(scope=scope).getlist("host")
        if not self._policy.allows_host(hosts, scope["server"][0]):
            return PlainTextResponse("This server is not known by that name.\n", 421)
        if not (place.peer.tls or place.peer.trusted):
            return _redirect(scope, hosts[0])
        return self._app


def _redirect(scope: Scope, host: str) -> Response:
    """Send to the same place over https, which is on the same port; the connection ends with it."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    target = (scope["raw_path"] + query).decode("ascii")
    return PlainTextResponse(
        "Use https.\n", 308, headers={"location": f"https://{host}{target}", "connection": "close"}
    )


def _about(request: Request) -> Response:
    host = request.headers["host"]
    address = host if host.rpartition(":")[2].isdigit() else f"{host}:443"
    return PlainTextResponse(_ABOUT.format(address=address))


def _needs_upgrade(request: Request) -> Response:
    return PlainTextResponse("WebSockets only.\n", 426, headers={"upgrade": "websocket", "connection": "upgrade"})
