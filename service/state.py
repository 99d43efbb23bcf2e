"""What a running service holds: made once by the lifespan, handed to every request. Knows no route."""

from dataclasses import dataclass
from typing import TypedDict

from service.access import Access
from service.catalog import Catalog
from service.errors import NotReadyError
from service.model_pool import ModelPool
from service.settings import Settings
from service.workers import Workers

__all__ = ["LifespanState", "Service"]


@dataclass
class Service:
    """The parts that requests share."""

    settings: Settings
    access: Access
    catalog: Catalog
    models: ModelPool
    workers: Workers
    draining: bool = False
    """The process has been told to stop: still answers, wants no new requests."""

    def check_ready(self) -> None:
        """Say whether new requests should come here.

        Raises:
            NotReadyError: starting, draining, or without a default model.
        """
        if self.draining:
            raise NotReadyError("the service is draining before it stops")
        _ = self.models.default


class LifespanState(TypedDict):
    """What the lifespan gives to the framework, which gives it to each request as ``request.state``."""

    service: Service
