"""The description of the HTTP API in the form of OpenAPI 3.1, from the table of endpoints."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from darklens import __version__
from darklens.serve.endpoints import ENDPOINTS, Endpoint
from darklens.serve.messages import ErrorMessage

__all__ = ["openapi"]

_SCHEMAS = "#/components/schemas/"
_ERRORS = {
    "400": "The request is malformed",
    "413": "The upload is too large",
    "422": "The content of the request cannot be used",
    "503": "Too many requests are waiting",
}


@cache
def openapi() -> dict[str, Any]:
    """The description, as plain values."""
    schemas: dict[str, Any] = {"ErrorMessage": _schema(ErrorMessage, {})}
    paths: dict[str, Any] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "darklens",
            "version": __version__,
            "description": "Simulate, fit, classify and generate strong gravitational lenses.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": _reference(endpoint.response, schemas)}}
    content |= {kind.split(";")[0]: {} for kind in endpoint.others}
    failed = {"application/json": {"schema": {"$ref": f"{_SCHEMAS}ErrorMessage"}}}
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": endpoint.path.rpartition("/")[2],
        "responses": {
            "200": {"description": "The answer", "content": content},
            **{
                status: {"description": text, "content": failed}
                for status, text in (_ERRORS.items() if endpoint.request else ())
            },
        },
    }
    if endpoint.request is not None:
        schema: Any = _reference(endpoint.request, schemas)
        kind = "application/json"
        if endpoint.files is not None:
            kind, schema = "multipart/form-data", {"allOf": [schema, _files(endpoint)]}
        operation["requestBody"] = {"content": {kind: {"schema": schema}}}
    return operation


def _files(endpoint: Endpoint) -> dict[str, Any]:
    """The field with the files of a form."""
    file: Any = {"type": "string", "format": "binary"}
    many = {"type": "array", "items": file} if endpoint.files == "many" else file
    return {"type": "object", "properties": {"files": many}, "required": ["files"]}


def _reference(kind: Any, schemas: dict[str, Any]) -> dict[str, str]:
    """A reference to the schema of a class, which is added if it is new."""
    if kind.__name__ not in schemas:
        schemas[kind.__name__] = _schema(kind, schemas)
    return {"$ref": f"{_SCHEMAS}{kind.__name__}"}


def _schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema of a class; those that it refers to are added to the others."""
    schema = TypeAdapter(kind).json_schema(ref_template=f"{_SCHEMAS}{{model}}")
    schemas.update(schema.pop("$defs", {}))
    return schema
