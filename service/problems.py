"""Send every refusal as a problem document (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.errors import (
    KINDS,
    FrameworkError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    ServiceError,
)
from shared_preproc.errors import PreprocError

__all__ = ["Problem", "handle_errors", "problem_responses", "refusal_headers", "refuse"]

MEDIA_TYPE = "application/problem+json"
_MOST_ERRORS = 3
"""Of a query with hundreds of faults, in one refusal."""


class Problem(BaseModel):
    """Why there is no answer (RFC 9457). Programs look at `code`; the rest is for people."""

    type: Annotated[str, Field(examples=["urn:ecg-report-classifier:problem:unsuitable_dimensions"])]
    title: Annotated[str, Field(description="What the code means; always the same for a code.")]
    status: int
    detail: str
    code: Annotated[str, Field(examples=["unsuitable_dimensions"])]
    expected: Annotated[str, Field(description="What would have been accepted.")]
    found: Annotated[str, Field(description="What came instead.")]
    remedy: Annotated[str, Field(description="What to do about it.")]
    request_id: str


def handle_errors(app: FastAPI) -> None:
    """Let ``app`` send every refusal, even the framework's, as a problem document."""
    app.add_exception_handler(PreprocError, _answer)
    app.add_exception_handler(ServiceError, _answer)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(HTTPException, _answer_framework)


def refuse(error: ServiceError | PreprocError, request_id: str, status: int | None = None) -> Response:
    """Make the response; ``status`` replaces the status of the error's class."""
    kind = KINDS[type(error)]
    status = status or kind.status
    problem = Problem(
        type=f"urn:ecg-report-classifier:problem:{kind.code}",
        title=kind.title,
        status=status,
        detail=f"Found: {error.found}. Expected: {error.expected}.",
        code=kind.code,
        expected=error.expected,
        found=error.found,
        remedy=error.remedy,
        request_id=request_id,
    )
    return _ProblemResponse(problem.code, problem.model_dump_json(), status, refusal_headers(error))


def refusal_headers(error: ServiceError | PreprocError) -> dict[str, str]:
    """Return Retry-After and WWW-Authenticate."""
    if isinstance(error, PreprocError):
        return {}
    headers = {"Retry-After": error.retry_after_s, "WWW-Authenticate": error.challenge}
    return {name: str(value) for name, value in headers.items() if value is not None}


def problem_responses(*causes: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """Describe refusals for OpenAPI, as the argument ``responses`` of a route."""
    codes: dict[int | str, list[str]] = {}
    for kind in dict.fromkeys(KINDS[cause] for cause in causes):
        codes.setdefault(kind.status, []).append(f"`{kind.code}`: {kind.title}.")
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": " ".join(lines), "content": content} for status, lines in codes.items()}


async def _answer(request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError | PreprocError):
        raise error
    return refuse(error, request.state.request_id)


async def _answer_invalid_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    complaints = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:_MOST_ERRORS]]
    return refuse(InvalidRequestError("; ".join(complaints)), request.state.request_id)


async def _answer_framework(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status, headers, request_id = error.status_code, dict(error.headers or {}), request.state.request_id
    if headers.get("Allow") == "GET":
        headers["Allow"] = "GET, HEAD"  # `RequestContext` lets routes for GET answer HEAD
    if status == HTTPStatus.NOT_FOUND:
        response = refuse(NotFoundError(), request_id)
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        response = refuse(MethodNotAllowedError(expected=headers.get("Allow", "")), request_id)
    elif status < HTTPStatus.INTERNAL_SERVER_ERROR:
        response = refuse(FrameworkError(f"a request that is answered with status {status}"), request_id, status)
    else:
        raise error
    response.headers.update(headers)
    return response


class _ProblemResponse(Response):
    """Leave the code in ``request.state.problem_code`` for log and metrics."""

    media_type = MEDIA_TYPE

    def __init__(self, code: str, body: str, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(body, status, headers)
        self._code = code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["problem_code"] = self._code
        await super().__call__(scope, receive, send)
