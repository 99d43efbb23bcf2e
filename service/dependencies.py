"""What routes ask for, as annotated types. Knows no route."""

from typing import Annotated, cast

from fastapi import Depends, Request

from service.state import Service

__all__ = ["RequestIdDep", "ServiceDep"]


def _service(request: Request) -> Service:
    return cast("Service", request.state.service)


def _request_id(request: Request) -> str:
    return cast("str", request.state.request_id)


ServiceDep = Annotated[Service, Depends(_service)]
RequestIdDep = Annotated[str, Depends(_request_id)]
