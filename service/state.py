"""What a running service holds: made once at the start, passed to every request."""

from dataclasses import dataclass
from typing import TypedDict

from service.admission import Admission
from service.answers import Answers
from service.audit import AuditLog
from service.auth.access import Access
from service.connections import Connections
from service.errors import NotReadyError
from service.models.loader import Catalog, ModelLoader
from service.models.pool import ModelPool
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.workers import Workers

__all__ = ["LifespanState", "Service"]


@dataclass
class Service:
    """The parts that requests share."""

    settings: Settings
    access: Access
    catalog: Catalog
    loader: ModelLoader
    models: ModelPool
    admission: Admission
    workers: Workers
    connections: Connections
    metrics: Metrics
    audit: AuditLog | None
    answers: Answers
    draining: bool = False
    """The process has been told to stop. It still answers."""

    def check_ready(self) -> None:
        """Check that new requests should come here.

        Raises:
            NotReadyError: starting, draining, or without a default model that works.
            AuditUnavailableError: the audit is required and fails.
        """
        if self.draining:
            raise NotReadyError("the service is draining before it stops")
        if failure := self.models.default.model.classifier.failure:
            raise NotReadyError(f"the default model failed: {failure}", remedy="The operator has to promote another.")
        self.answers.check_recorded()

    @property
    def degraded(self) -> list[str]:
        """Parts that fail although requests are answered; `site_policy`: it is for another default model."""
        audit_fails = self.audit is not None and self.audit.failing
        rules, default = self.loader.rules, self.models.default
        loaded = rules.policy is not None and default.state.model is not None
        misses = loaded and not rules.has_policy_for(default.model.manifest)
        return [name for name, failing in (("audit", audit_fails), ("site_policy", misses)) if failing]


class LifespanState(TypedDict):
    """What the lifespan gives to the framework, which gives it to each request as ``request.state``."""

    service: Service
