"""The OpenAPI description, in the form that client generators read."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from model_registry.decision import REASON_CODES
from service.errors import KINDS
from service.schemas.classification import Problem
from shared_preproc.evidence import DOUBT_CODES

__all__ = ["describe_for_clients", "operation_id"]

_Schema = dict[str, Any]


def operation_id(route: APIRoute) -> str:
    """Name an operation by its path, of which generators make the name of a function."""
    return "_".join(part for part in route.path_format.split("/") if part and not part.startswith("{"))


def describe_for_clients(app: FastAPI) -> None:
    """Let ``app`` describe problems and codes once, pairs as arrays, and parts of a path as text.

    FastAPI writes pairs as ``prefixItems`` and lets a part of the path be null; generators read neither.
    """
    describe: Callable[[], _Schema] = app.openapi

    def described() -> _Schema:
        if app.openapi_schema is None:
            description = describe()
            _simplify(description)
            schemas = description["components"]["schemas"]
            schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas["Problem"]["properties"]["code"]["enum"] = sorted(kind.code for kind in KINDS.values())
            schemas["Reason"]["properties"]["code"]["enum"] = sorted(REASON_CODES | DOUBT_CODES)
        return app.openapi_schema or {}

    app.openapi = described  # type: ignore[method-assign] # as FastAPI's documentation says


def _simplify(value: Any) -> None:  # noqa: ANN401 - any part of a JSON document
    if isinstance(value, list):
        for one in value:
            _simplify(one)
    elif isinstance(value, dict):
        if items := value.pop("prefixItems", None):
            value["items"] = items[0]
        if value.get("in") == "path" and "anyOf" in value["schema"]:
            value["schema"] = {"type": "string"}
        for one in value.values():
            _simplify(one)
