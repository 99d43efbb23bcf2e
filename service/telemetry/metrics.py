"""Prometheus counters and histograms; docs/operations.md explains each.

Every label comes from a closed set: routes, methods, codes, bundles, classes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import cache
from http import HTTPStatus
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service.classify import ClassificationResult, Timings

__all__ = ["NONE", "Metrics", "RequestFacts"]

NONE = "none"
"""The label of an unknown path, and of what does not apply."""

_STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_RUN_BUCKETS_PAGES = (1, 2, 4, 8, 16, 32, 64)
_REJECTIONS = frozenset({str(int(HTTPStatus.TOO_MANY_REQUESTS)), str(int(HTTPStatus.SERVICE_UNAVAILABLE))})
_STAGES = tuple(field.name for field in fields(Timings) if field.name != "total")


class RequestFacts(NamedTuple):
    """The labels of one exchange."""

    route: str
    method: str
    status: str
    code: str
    """Of the problem, or `NONE`."""
    bundle: str
    """``name/version``, or `NONE`."""


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self.registry = _Registry()
        ProcessCollector(registry=self.registry)
        self._requests = self._counters("requests", "Requests answered", RequestFacts._fields)
        self._rejects = self._counters("rejects", "Requests refused with 429 or 503", ["code"])
        self._durations = self._histograms(
            "request_duration_seconds", "From request to answer", ["route"], _REQUEST_BUCKETS_S
        )
        self._stages = self._histograms(
            "stage_duration_seconds", "Stages of a page", ["stage", "bundle"], _STAGE_BUCKETS_S
        )
        self._runs = self._histogram(
            "batch_pages", "Pages in a run of a model whose runs are shared", [], _RUN_BUCKETS_PAGES
        )
        self._decisions = self._counters("decisions", "Pages by decision", ["bundle", "decision"])
        self._reasons = self._counters("reasons", "Reasons for which pages were referred", ["bundle", "reason"])
        self._classes = self._counters("classes", "Pages by most probable class", ["bundle", "predicted_class"])
        self._replays = self._counter("replays", "Answers given again to the same Idempotency-Key", [])

    def count_request(self, facts: RequestFacts, duration_s: float) -> None:
        """Count a finished exchange."""
        self._requests(*facts).inc()
        self._durations(facts.route).observe(duration_s)
        if facts.status in _REJECTIONS:
            self._rejects(facts.code).inc()

    def count_result(self, result: ClassificationResult) -> None:
        """Count a classified page."""
        bundle = result.manifest.ref
        for stage, duration_s in _stages(result.timings_ms):
            self._stages(stage, bundle).observe(duration_s)
        self._decisions(bundle, result.decision.status).inc()
        for reason in result.decision.reasons:
            self._reasons(bundle, reason.code).inc()
        self._classes(bundle, max(result.page, key=result.page.__getitem__)).inc()

    def count_replay(self) -> None:
        """Count a replayed answer."""
        self._replays.inc()

    def count_run(self, pages: int) -> None:
        """Count a shared run."""
        self._runs.observe(pages)

    def watch(self, collector: Collector) -> None:
        """Collect from ``collector`` at each scrape, too."""
        self.registry.register(collector)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format 0.0.4."""
        return generate_latest(self.registry)

    def _counters(self, name: str, explanation: str, labels: Sequence[str]) -> Callable[..., Counter]:
        """Return a cached `Counter.labels`, which is slow."""
        return cache(self._counter(name, explanation, labels).labels)

    def _histograms(
        self, name: str, explanation: str, labels: Sequence[str], buckets: tuple[float, ...]
    ) -> Callable[..., Histogram]:
        return cache(self._histogram(name, explanation, labels, buckets).labels)

    def _counter(self, name: str, explanation: str, labels: Sequence[str]) -> Counter:
        return Counter(f"ecg_{name}", f"{explanation}.", labels, registry=self.registry)

    def _histogram(self, name: str, explanation: str, labels: Sequence[str], buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"ecg_{name}", f"{explanation}.", labels, registry=self.registry, buckets=buckets)


class _Registry(CollectorRegistry):
    """Omit ``_created`` series, which Prometheus ignores."""

    def collect(self) -> Iterator[Metric]:
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


def _stages(timings_ms: Timings) -> Iterator[tuple[str, float]]:
    for stage in _STAGES:
        duration_ms: float | None = getattr(timings_ms, stage)
        if duration_ms is not None:
            yield stage, duration_ms / 1000
