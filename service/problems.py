"""Turn each exception into a problem document (RFC 9457): one table of status and code, one body.

A body never holds a traceback, a path or a file name.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from digitize.errors import UndigitizedPageError
from service import errors
from service.auth import errors as access_errors
from service.schemas.classification import Problem
from shared_preproc.errors import (
    UNSUITABLE_DIMENSIONS,
    NotAnEcgPageError,
    PreprocError,
    UndecodableImageError,
    UnreadableLeadsError,
    UnsuitableDimensionsError,
    UnsupportedFormatError,
)

__all__ = ["KINDS", "Kind", "handle_errors", "internal_error", "problem_responses", "refusal", "refusal_headers"]

MEDIA_TYPE = "application/problem+json"
BEARER = 'Bearer realm="ecg-report-classifier"'
_MOST_ERRORS = 3
"""Of one request that are named: a query can hold hundreds of parameters."""


class NotFoundError(errors.ServiceError):
    """There is nothing at this path."""

    def __init__(self) -> None:
        super().__init__(
            found="a path that does not exist", expected="a path that /docs lists", remedy="Check the address."
        )


class MethodNotAllowedError(errors.ServiceError):
    """The path exists, but not with this method."""

    def __init__(self, allowed: str) -> None:
        super().__init__(
            found="a method that this path does not take", expected=allowed, remedy="See /docs for what each path does."
        )


class InvalidRequestError(errors.ServiceError):
    """A parameter of the query, or a header, is unknown or malformed."""

    def __init__(self, found: str, expected: str = "the parameters that /docs lists") -> None:
        super().__init__(found=found, expected=expected, remedy="Correct the query string or the header.")


class RefusedError(errors.ServiceError):
    """The web framework refuses the request, for a reason that has no code of its own."""

    def __init__(self, status: int) -> None:
        super().__init__(
            found=f"a request that is answered with status {status}",
            expected="a request as /docs describes it",
            remedy="Correct the request.",
        )


class InternalError(errors.ServiceError):
    """A fault of ours."""

    def __init__(self) -> None:
        super().__init__(
            found="an unforeseen fault in the service",
            expected="an answer",
            remedy="Try again; if it stays, give the request_id to the operator.",
        )


class Kind(NamedTuple):
    """What all refusals of one code have in common."""

    status: int
    code: str
    title: str
    retry_after_s: int | None = None
    challenge: str | None = None
    """What goes into WWW-Authenticate (RFC 6750, 3)."""


KINDS: Mapping[type[Exception], Kind] = {
    UnsupportedFormatError: Kind(415, "unsupported_format", "The file is of no kind that can be read"),
    UndecodableImageError: Kind(422, "undecodable_image", "The file is damaged or cut short"),
    UnsuitableDimensionsError: Kind(422, "unsuitable_dimensions", UNSUITABLE_DIMENSIONS),
    NotAnEcgPageError: Kind(422, "not_an_ecg_page", "The image is not an ECG report page in this layout"),
    UnreadableLeadsError: Kind(422, "unreadable_leads", "Leads of the page cannot be read"),
    UndigitizedPageError: Kind(422, "undigitized_page", "The page of another cart cannot be read with certainty"),
    errors.BodyTooLargeError: Kind(413, "body_too_large", "The upload is too large"),
    errors.BodyTimeoutError: Kind(408, "body_timeout", "The upload took too long"),
    errors.IncompleteBodyError: Kind(400, "incomplete_body", "The upload is incomplete"),
    errors.MalformedMultipartError: Kind(400, "malformed_multipart", "The form is malformed"),
    errors.MalformedHttpError: Kind(400, "malformed_http", "The request is not valid HTTP"),
    errors.UnexpectedPartsError: Kind(422, "unexpected_parts", "The form holds more than one file"),
    errors.MissingFileError: Kind(422, "missing_file", "There is no file in the request"),
    errors.InvalidInferenceError: Kind(400, "invalid_inference", "The inference request is not valid"),
    errors.UnknownModelError: Kind(404, "unknown_model", "There is no such model"),
    errors.BrokenModelError: Kind(503, "broken_model", "This model cannot be served"),
    errors.ModelTooLargeError: Kind(503, "model_too_large", "This model does not fit"),
    errors.RegistryUnavailableError: Kind(503, "registry_unavailable", "The models cannot be read"),
    errors.NotReadyError: Kind(503, "not_ready", "The service is not ready", 5),
    errors.OverloadedError: Kind(503, "overloaded", "The service is busy"),
    errors.DeadlineExceededError: Kind(503, "deadline_exceeded", "There was no answer in time", 1),
    errors.ClientGoneError: Kind(499, "client_gone", "The client closed the connection"),
    errors.AuditUnavailableError: Kind(503, "audit_unavailable", "Answers cannot be recorded", 5),
    errors.IdempotencyConflictError: Kind(
        422, "idempotency_conflict", "The Idempotency-Key belongs to another request"
    ),
    access_errors.UntrustedHostError: Kind(
        421, "untrusted_host", "The service is called by a name that is not its own"
    ),
    access_errors.CrossSiteError: Kind(403, "cross_site", "The request comes from another site"),
    access_errors.UnauthorizedError: Kind(401, "unauthorized", "A valid key or token is needed", challenge=BEARER),
    access_errors.ForbiddenError: Kind(
        403, "forbidden", "The token does not suffice", challenge=f'{BEARER}, error="insufficient_scope"'
    ),
    access_errors.RateLimitedError: Kind(429, "rate_limited", "Too many requests of one caller"),
    access_errors.IssuerUnavailableError: Kind(503, "issuer_unavailable", "Tokens cannot be checked", 30),
    InvalidRequestError: Kind(422, "invalid_request", "The request is not valid"),
    NotFoundError: Kind(404, "not_found", "There is nothing at this address"),
    MethodNotAllowedError: Kind(405, "method_not_allowed", "The method is not allowed here"),
    RefusedError: Kind(400, "http_error", "The request is refused"),
    InternalError: Kind(500, "internal_error", "The service failed"),
}
"""Every code there is, by the exception that causes it."""


def handle_errors(app: FastAPI) -> None:
    """Let ``app`` answer every refusal, its framework's included, with a problem."""
    app.add_exception_handler(PreprocError, _answer)
    app.add_exception_handler(errors.ServiceError, _answer)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(HTTPException, _answer_framework)


def internal_error(request_id: str) -> Response:
    """Answer an unforeseen fault."""
    return _response(InternalError(), request_id)


def refusal(error: errors.ServiceError | PreprocError, request_id: str) -> Response:
    """Answer where nothing is raised: outside of routes, or what was kept."""
    return _response(error, request_id)


def refusal_headers(error: errors.ServiceError | PreprocError) -> dict[str, str]:
    """What a refusal says beside its body: when to try again, what to show."""
    kind = KINDS[type(error)]
    own = error.retry_after_s if isinstance(error, errors.ServiceError) else None
    headers = {"Retry-After": own or kind.retry_after_s, "WWW-Authenticate": kind.challenge}
    return {name: str(value) for name, value in headers.items() if value is not None}


def problem_responses(*causes: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """Describe refusals for OpenAPI, as the argument ``responses`` of a route."""
    codes: dict[int | str, list[str]] = {}
    for kind in dict.fromkeys(KINDS[cause] for cause in causes):
        codes.setdefault(kind.status, []).append(f"`{kind.code}`: {kind.title}.")
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": " ".join(lines), "content": content} for status, lines in codes.items()}


async def _answer(request: Request, error: Exception) -> Response:
    if not isinstance(error, errors.ServiceError | PreprocError):
        raise error
    return _response(error, request.state.request_id)


async def _answer_invalid_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    complaints = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:_MOST_ERRORS]]
    return _response(InvalidRequestError("; ".join(complaints)), request.state.request_id)


async def _answer_framework(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status, headers, request_id = error.status_code, dict(error.headers or {}), request.state.request_id
    if headers.get("Allow") == "GET":
        headers["Allow"] = "GET, HEAD"  # RequestContext answers the one like the other
    if status == HTTPStatus.NOT_FOUND:
        response = _response(NotFoundError(), request_id)
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        response = _response(MethodNotAllowedError(headers.get("Allow", "")), request_id)
    elif status < HTTPStatus.INTERNAL_SERVER_ERROR:
        response = _response(RefusedError(status), request_id, status)
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


def _response(error: errors.ServiceError | PreprocError, request_id: str, status: int | None = None) -> Response:
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
