"""Routes whose requests are work, and so are refused at once where there is no room for more. Knows no route.

At twice the load, every second request is refused: whatever a refusal costs, a page less is answered.
"""

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.errors import OverloadedError
from service.problems import refusal

__all__ = ["WorkRoute"]


class WorkRoute(APIRoute):
    """To be given as ``route_class``. Who asks, how and for what, is looked at only where there is room."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one exchange."""
        try:
            if scope["method"] in (self.methods or ()):  # any other is told so
                scope["state"]["service"].admission.workers.check_room()
        except OverloadedError as error:
            await self.refused(Request(scope), error)(scope, receive, send)
        else:
            await super().handle(scope, receive, send)

    def refused(self, request: Request, error: OverloadedError) -> Response:
        """How this route says so."""
        return refusal(error, request.state.request_id)
