"""What has to be true of every answer of the service, whatever was sent."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from pydantic import ValidationError

from benchmarks.fuzz_requests import Case
from service.errors import KINDS
from service.problems import MEDIA_TYPE, Problem

__all__ = ["Answer", "code_of", "fault"]

_CODES = frozenset(kind.code for kind in KINDS.values())
_NOT_HTTP = 400
_NO_SUCH_RANGE = {400, 416}
_FAILED = 500
_UNAVAILABLE = 503


@dataclass(frozen=True)
class Answer:
    """A whole answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def code_of(answer: Answer) -> str:
    """The documented code that an answer bears; "-" where there is none."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return "-"
    if not isinstance(body, dict) or answer.status < _NOT_HTTP:
        return "-"
    return str(body.get("code") or str(body.get("error")).partition(":")[0])


def fault(case: Case, answer: Answer) -> str | None:
    """What is wrong with an answer; None if nothing is."""
    if answer.status >= _FAILED and answer.status != _UNAVAILABLE:
        return f"status {answer.status}"
    if answer.status < _NOT_HTTP or case.method == "HEAD":
        return None if "x-request-id" in answer.headers or _is_of_the_server(case, answer) else "no X-Request-ID"
    media_type = answer.headers.get("content-type")
    if media_type == MEDIA_TYPE:
        return _problem_fault(answer)
    if media_type == "application/json" and unquote(case.target).startswith("/v2"):
        return _protocol_fault(answer)
    return None if _is_of_the_server(case, answer) else "an error without the documented body"


def _is_of_the_server(case: Case, answer: Answer) -> bool:
    """Whether this is one of the answers in plain text that docs/api.md names."""
    of_a_file = case.target.startswith("/web/") and b"\nrange:" in case.raw.lower()
    if of_a_file and answer.status in _NO_SUCH_RANGE:
        return True
    return not case.is_http and answer.status == _NOT_HTTP and "x-request-id" not in answer.headers


def _problem_fault(answer: Answer) -> str | None:
    try:
        problem = Problem.model_validate_json(answer.body, strict=True)
    except ValidationError:
        return "a problem without the documented fields"
    fields = set(json.loads(answer.body))
    ties = problem.status == answer.status and problem.request_id == answer.headers.get("x-request-id")
    if fields != set(Problem.model_fields) or not ties or problem.code not in _CODES:
        return "a problem that contradicts its answer"
    if not problem.type.endswith(f":{problem.code}") or not all((problem.title, problem.detail, problem.remedy)):
        return "a problem that says nothing"
    return None


def _protocol_fault(answer: Answer) -> str | None:
    body = json.loads(answer.body)
    if set(body) != {"error"} or code_of(answer) not in _CODES:
        return "a refusal that is not the protocol's"
    return None
