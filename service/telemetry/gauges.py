"""What is looked up each time the metrics are read: the state of the service's parts. Counts nothing itself.

Asks only what answers at once, from memory: reading metrics must not wait for a page, a model or a disk.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from service import __version__
from service.audit import AuditLog
from service.errors import ServiceError
from service.models.pool import DefaultModel
from service.state import Service

__all__ = ["ServiceGauges"]


class ServiceGauges(Collector):
    """The gauges of one running service."""

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
