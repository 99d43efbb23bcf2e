"""Routes whose requests are work, and so are refused at once where there is no room for more. Knows no route."""

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from service.errors import OverloadedError
from service.problems import refusal

__all__ = ["WorkRoute"]


class WorkRoute(APIRoute):
    """To be given as ``route_class``; `service.doorway` refuses for it."""

    def refused(self, request: Request, error: OverloadedError) -> Response:
        """How this route says so."""
        return refusal(error, request.state.request_id)
