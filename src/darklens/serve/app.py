"""The web app: the endpoints as routes, errors as one line of JSON, and the page itself."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from darklens.display import STYLESHEET
from darklens.errors import DarklensError
from darklens.naming import visible
from darklens.progress import say
from darklens.serve.endpoints import ENDPOINTS, Context, Endpoint
from darklens.serve.lanes import Busy
from darklens.serve.openapi import openapi
from darklens.serve.protection import Protection
from darklens.serve.service import Service

__all__ = ["PAGE", "web_app"]

PAGE = Path(__file__).parent / "page"
"""Folder of the page: HTML and scripts; its stylesheet is that of the reports, in `display`."""

_GONE = 499  # nobody reads it


def web_app(
    service: Service,
    *,
    limit: int = 100_000_000,
    hosts: Sequence[str] = (),
    api_only: bool = False,
    warm_up: bool = False,
) -> Starlette:
    """The app that serves the page and the API.

    Args:
        service: Models and queues.
        limit: Largest request [byte].
        hosts: Names of the server without the port; any if empty.
        api_only: Leave out the page.
        warm_up: Load the simulator and the default model when the server starts.
    """
    context = Context(service, limit)
    routes: list[BaseRoute] = [
        Route(endpoint.path, _route(endpoint, context), methods=[endpoint.method])
        for endpoint in ENDPOINTS
    ]
    routes.append(Route("/api/openapi.json", lambda _: JSONResponse(openapi())))
    if not api_only:
        routes.append(Route("/", lambda _: FileResponse(PAGE / "index.html")))
        routes.append(Route("/page/style.css", lambda _: FileResponse(STYLESHEET)))
        routes.append(Mount("/page", StaticFiles(directory=PAGE)))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if warm_up:
            service.warm_up()
        yield
        service.close()

    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Protection, limit=limit, hosts=hosts)],
        exception_handlers={HTTPException: _http_error},
    )


def _route(endpoint: Endpoint, context: Context) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        try:
            found = await endpoint.answer(context, request)
        except Busy as error:
            return _error(503, str(error), {"Retry-After": "2"})
        except DarklensError as error:
            return _error(422, str(error))
        except MemoryError:
            return _error(422, "too large for the memory of the server")
        except ClientDisconnect:
            return Response(status_code=_GONE)
        except (HTTPException, OSError):
            raise
        except Exception as error:  # noqa: BLE001  one request, whatever it does, stops no other
            say(f"{endpoint.path}: {type(error).__name__}: {error}")
            return _error(500, f"unexpected {type(error).__name__}; the server's terminal has more")
        if isinstance(found, Response):
            return found
        return Response(_dump(endpoint.response)(found), media_type="application/json")

    return answer


@cache
def _dump(kind: Any) -> Callable[[Any], bytes]:
    """A function that writes messages of a class as JSON."""
    return TypeAdapter(kind).dump_json


def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: "there is nothing at this address", 405: "this address takes another method"}
    return _error(error.status_code, words.get(error.status_code, str(error.detail)))


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> JSONResponse:
    line = visible(" ".join(text.split()))
    return JSONResponse({"error": line}, status, headers)
