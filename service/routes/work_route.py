"""Routes whose requests are work, and so are refused at once where there is no room for more. Knows no route."""

from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Scope

from service.errors import OverloadedError
from service.problems import refusal

__all__ = ["WorkRoute"]


class WorkRoute(APIRoute):
    """To be given as ``route_class``; `service.doorway` refuses for it."""

    def refused(self, scope: Scope, error: OverloadedError) -> Response:
        """How this route says so."""
        return refusal(error, scope["state"]["request_id"])
