"""The running service: its parts, its readiness and its gauges."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from service import __version__
from service.admission import Admission
from service.answers import Answers
from service.audit import AuditLog
from service.auth.access import Access
from service.errors import NotReadyError, ServiceError
from service.http import Connections
from service.models.loader import Catalog, ModelLoader
from service.models.pool import DefaultModel, ModelPool
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.workers import Workers

__all__ = ["LifespanState", "Service", "ServiceGauges"]


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
    """SIGTERM came; the service still answers."""

    def check_ready(self) -> None:
        """Raise `NotReadyError` or `AuditUnavailableError` if no request should come here."""
        if self.draining:
            raise NotReadyError("the service is draining before it stops")
        if failure := self.models.default.model.classifier.failure:
            raise NotReadyError(f"the default model failed: {failure}", remedy="The operator has to promote another.")
        self.answers.check_recorded()

    @property
    def degraded(self) -> list[str]:
        """Parts that fail although the service answers; `site_policy`: it is for another model."""
        audit_fails = self.audit is not None and self.audit.failing
        rules, default = self.loader.rules, self.models.default
        loaded = rules.policy is not None and default.state.model is not None
        misses = loaded and not rules.has_policy_for(default.model.manifest)
        return [name for name, failing in (("audit", audit_fails), ("site_policy", misses)) if failing]


class LifespanState(TypedDict):
    """``request.state`` from the lifespan."""

    service: Service


class ServiceGauges(Collector):
    """Gauges of the parts, read at each scrape."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Look at each part."""
        workers, default = self._service.workers, self._service.models.default
        yield InfoMetricFamily("ecg_build", "The running program.", {"version": __version__})
        yield _gauge("ready", "1 where /health says 200.", _is_ready(self._service))
        yield _gauge("connections", "Connections that are open.", self._service.connections.count)
        given_up = self._service.connections.given_up_count
        yield CounterMetricFamily("ecg_connections_given_up", "Connections closed for the next one.", given_up)
        yield _gauge("receiving", "Uploads that are arriving.", self._service.admission.bodies.arriving)
        yield _gauge("in_flight", "Pages that wait or are worked on.", workers.waiting + workers.working)
        yield _gauge("queue_depth", "Pages that wait for a worker.", workers.waiting)
        yield _gauge("places", "The most pages that may be in flight.", workers.places)
        yield _gauge("bundle_problem", "1 where /health has a problem.", default.state.problem is not None)
        yield from _bundle(default)
        if self._service.audit is not None:
            yield from _audit(self._service.audit)


def _is_ready(service: Service) -> bool:
    try:
        service.check_ready()
    except ServiceError:
        return False
    return True


def _bundle(default: DefaultModel) -> Iterator[Metric]:
    if default.state.model is None:
        return
    model = default.model
    labels = {
        "bundle": model.manifest.ref,
        "sha256": model.manifest.model_sha256,
        "preprocessing": model.manifest.preprocessing_fingerprint,
        "provider": model.classifier.provider,
    }
    yield InfoMetricFamily("ecg_bundle", "The default bundle, and where it runs.", labels)


def _audit(audit: AuditLog) -> Iterator[Metric]:
    yield CounterMetricFamily("ecg_audit_records", "Audit records on disk.", audit.written_count)
    yield CounterMetricFamily("ecg_audit_lost", "Audit records that are lost.", audit.lost_count)
    yield _gauge("audit_pending", "Audit records that are not on disk yet.", audit.pending_count)
    yield _gauge("audit_failing", "1 where audit records cannot be written.", audit.failing)
    yield _gauge("audit_unclean_start", "1 where the run before left its audit file open.", audit.unclean_start)


def _gauge(name: str, explanation: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ecg_{name}", explanation, float(value))
