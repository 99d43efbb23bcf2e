"""What routes ask for, as annotated types. Knows no route."""

from typing import Annotated, cast

from fastapi import Depends, Header, Request

from service.state import Service

__all__ = ["DEADLINE_HEADER", "DeadlineDep", "RequestIdDep", "ServiceDep"]

DEADLINE_HEADER = "X-Request-Deadline-Ms"
_LONGEST_DEADLINE_MS = 24 * 3600 * 1000


def _service(request: Request) -> Service:
    return cast("Service", request.state.service)


def _request_id(request: Request) -> str:
    return cast("str", request.state.request_id)


ServiceDep = Annotated[Service, Depends(_service)]
RequestIdDep = Annotated[str, Depends(_request_id)]
DeadlineDep = Annotated[
    int | None,
    Header(
        alias=DEADLINE_HEADER,
        ge=1,
        le=_LONGEST_DEADLINE_MS,
        description="Milliseconds after which an answer is of no use; the service's own limit holds as well.",
    ),
]
