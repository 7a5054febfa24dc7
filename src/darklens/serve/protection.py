"""Rules for every request: its size, who may ask, and what a page may load.

A page on the internet must not be able to use a server on the loopback through the browser of its
visitor. Requests whose `Host` is not one of the server's names are refused (DNS rebinding), and so
are those whose `Origin` is another site.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Protection"]

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Protection:
    """A layer around an app that enforces the rules.

    Args:
        app: The app.
        limit: Largest request [byte].
        hosts: Names of the server without the port; any if empty.
    """

    def __init__(self, app: ASGIApp, *, limit: int, hosts: Sequence[str] = ()) -> None:
        self._app, self._limit, self._hosts = app, limit, tuple(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        refused = self._refusal(Headers(scope=scope))
        if refused is not None:
            await refused(scope, receive, answer)
        else:
            await self._app(scope, self._counted(receive), answer)

    def _refusal(self, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "")
        if self._hosts and _name(f"//{host}") not in self._hosts:
            return _error(403, "this server answers only under its own name")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return _error(403, "requests from other sites are refused")
        length = headers.get("content-length", "0")
        if not length.isdigit():
            return _error(400, "the Content-Length of the request is not a number")
        return _error(413, self._too_large()) if int(length) > self._limit else None

    def _too_large(self) -> str:
        return f"the upload is larger than {self._limit / 1e6:.0f} MB"

    def _counted(self, receive: Receive) -> Receive:
        """Receive the body up to the limit, whatever its header says."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise HTTPException(413, self._too_large())
            return message

        return counted


def _error(status: int, text: str) -> JSONResponse:
    content: Any = {"error": text}
    return JSONResponse(content, status)


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
