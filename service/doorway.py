"""Refuses work for which there is no room, before anything else is made of the request. Knows no path.

At twice the load, every second request is refused: whatever a refusal costs, a page less is answered. So it is
`service.http_protocol` that asks here, and what the frameworks do around a route is left out.
"""

from collections.abc import Sequence

from fastapi.routing import iter_route_contexts
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Scope

from service.errors import OverloadedError
from service.hosts import is_trusted
from service.problems import KINDS
from service.request_context import Exchange, Telemetry
from service.routes.work_route import WorkRoute
from service.workers import Workers

__all__ = ["Doorway"]


class Doorway:
    """``routes`` are all of the application's; requests to ``other_port``, if there is one, never come to them."""

    def __init__(
        self,
        workers: Workers,
        routes: Sequence[BaseRoute],
        *,
        names: frozenset[str],
        telemetry: Telemetry,
        other_port: int | None,
    ) -> None:
        self._workers = workers
        originals = (context.original_route for context in iter_route_contexts(routes))
        self._work = [route for route in originals if isinstance(route, WorkRoute)]
        self._names = names
        self._telemetry = telemetry
        self._other_port = other_port

    def refusal(self, scope: Scope) -> Response | None:
        """Refuse what a request's ``scope`` asks for, with all that the answer holds; None where it may go on.

        Who asks, how and for what, is looked at only where there is room. What goes on may still be refused: a request
        in another form than most have, or one that comes before those ahead of it are counted.
        """
        try:
            self._workers.check_room()
        except OverloadedError as error:
            route = self._route(scope)
            return None if route is None else self._refused(route, scope, error)
        return None

    def _route(self, scope: Scope) -> WorkRoute | None:
        _, port = scope["server"] or (None, None)
        if port == self._other_port or not is_trusted(scope, self._names):
            return None
        for route in self._work:
            # Any other method is told so. Not `matches`, which works out what only a route that is gone to needs.
            if scope["method"] in (route.methods or ()) and route.path_regex.match(scope["path"]):
                return route
        return None

    def _refused(self, route: WorkRoute, scope: Scope, error: OverloadedError) -> Response:
        exchange = Exchange(scope, scope["method"], self._telemetry)
        scope["route"] = route  # for whoever counts requests, as is the code
        scope["state"]["problem_code"] = KINDS[type(error)].code
        response = route.refused(scope, error)
        response.raw_headers = exchange.begin_answer(response.status_code, response.raw_headers)
        exchange.end()
        return response
