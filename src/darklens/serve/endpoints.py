"""The table of the HTTP API: one row for each path, with its request and its response.

The server is built from this table, and so is its description (`darklens.serve.openapi`): neither
can say what the other does not do.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from darklens import __version__
from darklens.serve.messages import (
    Classification,
    Drawn,
    Fitted,
    Generated,
    Health,
    Models,
    Simulated,
)
from darklens.serve.requests import (
    ClassifyFields,
    DrawRequest,
    FitFields,
    GenerateRequest,
    SimulateRequest,
    read_form,
    read_json,
)
from darklens.serve.service import Service
from darklens.serve.uploads import BinaryFile

__all__ = ["ENDPOINTS", "Context", "Endpoint"]

_MOST_PARTS = 600
_CSV, _PARQUET = "text/csv; charset=utf-8", "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Context:
    """What endpoints work with.

    Attributes:
        service: Models and queues.
        limit: Largest request [byte].
    """

    service: Service
    limit: int


Answer = Callable[[Context, Request], Awaitable[Any]]


@dataclass(frozen=True)
class Endpoint:
    """One path of the API.

    Attributes:
        path: Its path.
        method: `GET`, or `POST` with a body.
        summary: One line about it.
        answer: From a request to a message, or a response with a file.
        response: Class of the message.
        request: Class of the request, if it has a body.
        files: Whether the body is a form with files, and how many: `one` or `many`.
        others: Media types of the files that the response can be instead.
    """

    path: str
    method: Literal["GET", "POST"]
    summary: str
    answer: Answer
    response: Any
    request: Any = None
    files: Literal["one", "many"] | None = None
    others: tuple[str, ...] = ()


async def _health(context: Context, _: Request) -> Health:
    megabytes = context.limit // 10**6
    return Health(__version__, context.service.ready, megabytes)


async def _models(context: Context, _: Request) -> Models:
    return await context.service.short.run(context.service.models)


async def _classify(context: Context, request: Request) -> Any:
    from darklens.serve.classifying import classify_files, table_bytes

    async with request.form(max_files=_MOST_PARTS, max_fields=_MOST_PARTS) as form:
        wanted, files = _form(form, ClassifyFields)
        service = context.service

        def work() -> Any:
            classifier = service.classifier(wanted.model)
            return classify_files(
                classifier,
                files,
                coverage=wanted.coverage,
                extension=wanted.extension,
                limit=context.limit,
            )

        answer, table = await service.long.run(work)
    if wanted.format == "json":
        return answer
    kind = _CSV if wanted.format == "csv" else _PARQUET
    return _file(table_bytes(table, f".{wanted.format}"), f"table.{wanted.format}", kind)


async def _fit(context: Context, request: Request) -> Any:
    from darklens.serve.fitting import fit_file

    async with request.form(max_files=_MOST_PARTS, max_fields=_MOST_PARTS) as form:
        wanted, files = _form(form, FitFields)
        if len(files) > 1:
            raise HTTPException(400, "fit takes one file at a time")
        (name, content), service = files[0], context.service

        def work() -> Fitted:
            fitter = service.fitter(wanted.preset)
            return fit_file(fitter, wanted, name, content, limit=context.limit)

        fitted = await service.long.run(work)
    if wanted.format == "json":
        return fitted
    return _file(fitted.csv.encode("utf-8"), "fit.csv", _CSV)


async def _simulate(context: Context, request: Request) -> Any:
    from darklens.serve.simulating import FORMATS, lens_file, simulate_lens

    wanted: SimulateRequest = read_json(SimulateRequest, await _json(request))
    run = context.service.short.run
    if wanted.format == "json":
        return await run(partial(simulate_lens, wanted.settings, overlays=wanted.overlays))
    content = await run(partial(lens_file, wanted.settings, wanted.format))
    return _file(content, f"lens.{wanted.format}", FORMATS[wanted.format])


async def _draw(context: Context, request: Request) -> Drawn:
    from darklens.serve.simulating import draw_lenses

    wanted: DrawRequest = read_json(DrawRequest, await _json(request))
    work = partial(draw_lenses, wanted.preset, wanted.label, wanted.count, wanted.seed)
    return await context.service.short.run(work)


async def _generate(context: Context, request: Request) -> Generated:
    from darklens.serve.generating import generate_lenses

    wanted: GenerateRequest = read_json(GenerateRequest, await _json(request))
    service = context.service

    def work() -> Generated:
        return generate_lenses(
            service.generator(wanted.model),
            count=wanted.count,
            start=wanted.start,
            label=wanted.label,
            steps=wanted.steps,
            guidance=wanted.guidance,
            seed=wanted.seed,
        )

    return await service.long.run(work)


ENDPOINTS = (
    Endpoint(
        "/api/health", "GET", "Version, and whether the first model is loaded", _health, Health
    ),
    Endpoint("/api/models", "GET", "Cards of the models, and the presets", _models, Models),
    Endpoint(
        "/api/classify",
        "POST",
        "Classify image files or zip archives of them",
        _classify,
        Classification,
        ClassifyFields,
        "many",
        (_CSV, _PARQUET),
    ),
    Endpoint(
        "/api/fit",
        "POST",
        "Fit the smooth lens of one image",
        _fit,
        Fitted,
        FitFields,
        "one",
        (_CSV,),
    ),
    Endpoint(
        "/api/simulate",
        "POST",
        "Simulate one lens from settings",
        _simulate,
        Simulated,
        SimulateRequest,
        others=("image/fits", "application/octet-stream", "text/yaml", "text/x-python"),
    ),
    Endpoint("/api/draw", "POST", "Draw lenses of a shipped preset", _draw, Drawn, DrawRequest),
    Endpoint(
        "/api/generate",
        "POST",
        "Generate new lenses with a model",
        _generate,
        Generated,
        GenerateRequest,
    ),
)


async def _json(request: Request) -> Any:
    """The body of a request as plain values; an empty one is None."""
    body = await request.body()
    if not body.strip():
        return None
    try:
        return await request.json()
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body of the request is not JSON") from None


def _form(form: Any, kind: Any) -> tuple[Any, list[tuple[str, BinaryFile]]]:
    """The fields and the files of a form."""
    items = form.multi_items()
    files: list[tuple[str, BinaryFile]] = [
        (item.filename or "unnamed", item.file) for _, item in items if isinstance(item, UploadFile)
    ]
    wanted = read_form(kind, {name: item for name, item in items if isinstance(item, str)})
    if not files:
        raise HTTPException(
            400, "there is no file in the request: send a multipart form with the field 'files'"
        )
    return wanted, files


def _file(content: bytes, name: str, kind: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=kind, headers=headers)
