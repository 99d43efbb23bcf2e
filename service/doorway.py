"""Refuses work for which there is no room before the framework's way to its route begins. Knows no path.

At twice the load, every second request is refused: whatever a refusal costs, a page less is answered.
"""

from collections.abc import Sequence

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import OverloadedError
from service.routes.work_route import WorkRoute

__all__ = ["Doorway"]


class Doorway:
    """ASGI middleware, inside `TrustedHosts`; ``routes`` are all of the application's.

    Who asks, how and for what, is looked at only where there is room.
    """

    def __init__(self, app: ASGIApp, *, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        originals = (context.original_route for context in iter_route_contexts(routes))
        self._work = [route for route in originals if isinstance(route, WorkRoute)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one exchange."""
        app = self._app
        if scope["type"] == "http":
            try:
                scope["state"]["service"].admission.workers.check_room()
            except OverloadedError as error:
                app = self._refusal(scope, error) or app
        await app(scope, receive, send)

    def _refusal(self, scope: Scope, error: OverloadedError) -> ASGIApp | None:
        for route in self._work:
            # Any other method is told so. Not `matches`, which works out what only a route that is gone to needs.
            if scope["method"] in (route.methods or ()) and route.path_regex.match(scope["path"]):
                scope["route"] = route  # for whoever counts requests
                return route.refused(scope, error)
        return None
