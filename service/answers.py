"""Give each page one answer: compute it once, count it, record it, and replay it for a repeated request.

A refused page is an answer, too.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass

from model_registry.manifest import BundleManifest
from service.audit import AuditLog
from service.classify import ClassificationResult
from service.errors import KINDS
from service.idempotency import KeptAnswers, RepeatKey
from service.schemas.classification import Classification, most_probable
from service.telemetry.metrics import Metrics
from shared_preproc.errors import PreprocError

__all__ = ["Answer", "Answers", "Asked", "RefusedPageError"]

Work = Callable[[], Awaitable[ClassificationResult]]


@dataclass(frozen=True)
class Asked:
    """Who asks, and how."""

    request_id: str
    key_id: str | None
    """The caller; None without authentication."""
    idempotency_key: str | None
    target: str
    """Path and query, on which the answer depends besides the page."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to one page, and its audit record."""

    first_request_id: str
    """The request that did the work."""
    record: dict[str, object]
    content: bytes | PreprocError
    """JSON, or the page's refusal."""


class RefusedPageError(Exception):
    """One of a request's pages is refused, and the request with it."""

    def __init__(self, page: bytes, number: int, cause: PreprocError) -> None:
        super().__init__()
        self.number = number
        """The page's place in the request, from 1."""
        self.image_sha256 = hashlib.sha256(page).hexdigest()
        self.cause = cause


class Answers:
    """Every answer goes out through here."""

    def __init__(self, metrics: Metrics, audit: AuditLog | None, kept: KeptAnswers[Answer]) -> None:
        self._metrics = metrics
        self._audit = audit
        self._kept = kept

    def check_recorded(self) -> None:
        """Raise `AuditUnavailableError` if answers must be recorded and cannot be."""
        if self._audit is not None:
            self._audit.check()

    async def give(self, asked: Asked, manifest: BundleManifest, page: bytes, work: Work) -> tuple[Answer, bool]:
        """Return the recorded answer about ``page``, and whether it is a replay.

        Raises:
            AuditUnavailableError: the answer must be recorded and cannot be.
            IdempotencyConflictError: the key came with another page or other parameters before.
        """

        async def work_out() -> Answer:
            return await self._work_out(asked, manifest, page, work)

        if asked.idempotency_key is None:
            answer, replayed = await work_out(), False
        else:
            fingerprint = f"{await _sha256(page)} {asked.target}"
            key = RepeatKey(asked.key_id, asked.idempotency_key)
            answer, replayed = await self._kept.once(key, fingerprint, work_out)
        if replayed:
            self._metrics.count_replay()
        self._record(asked, answer.record, replay_of=answer.first_request_id if replayed else None)
        return answer, replayed

    def note_results(self, asked: Asked, results: Iterable[ClassificationResult]) -> None:
        """Count and record the results for several pages of one request, or raise `AuditUnavailableError`."""
        for result in results:
            self._metrics.count_result(result)
            self._record(asked, _record_of(result))

    def note_refusal(self, asked: Asked, manifest: BundleManifest, refused: RefusedPageError) -> None:
        """Record the page that made a request of several pages fail, or raise `AuditUnavailableError`."""
        self._record(asked, _record_of_refusal(manifest, refused.cause, refused.image_sha256))

    async def _work_out(self, asked: Asked, manifest: BundleManifest, page: bytes, work: Work) -> Answer:
        try:
            result = await work()
        except PreprocError as refusal:
            record = _record_of_refusal(manifest, refusal, await _sha256(page))
            # A copy, because the traceback would keep the page in memory.
            return Answer(asked.request_id, record, copy(refusal))
        self._metrics.count_result(result)
        body = Classification.of(result, asked.request_id).model_dump_json().encode()
        return Answer(asked.request_id, _record_of(result), body)

    def _record(self, asked: Asked, record: Mapping[str, object], replay_of: str | None = None) -> None:
        if self._audit is not None:
            who = {"request_id": asked.request_id, "key_id": asked.key_id, "replay_of": replay_of}
            self._audit.record({**who, **record})


def _record_of(result: ClassificationResult) -> dict[str, object]:
    policy = result.in_force.policy
    point = policy and {
        "critical_class": policy.critical_class,
        "target": policy.default_sensitivity,
        "threshold": policy.operating_point(policy.default_sensitivity).threshold,
    }
    return {
        "code": "ok",
        "image_sha256": result.source.sha256,
        "source": result.source.kind,
        **_bundle(result.manifest),
        "probabilities": result.page,
        "decision": result.decision.status,
        "reasons": [reason.code for reason in result.decision.reasons],
        "operating_point": point,
        "policy": result.in_force.source,
        "readers": result.readers and {name: most_probable(said) for name, said in vars(result.readers).items()},
        "findings": [finding.spec.code for finding in result.findings if finding.present],
    }


def _record_of_refusal(manifest: BundleManifest, refusal: PreprocError, image_sha256: str) -> dict[str, object]:
    return {"code": KINDS[type(refusal)].code, "image_sha256": image_sha256, **_bundle(manifest)}


def _bundle(manifest: BundleManifest) -> dict[str, object]:
    return {
        "bundle": manifest.ref,
        "bundle_sha256": manifest.model_sha256,
        "preprocessing": manifest.preprocessing_fingerprint,
    }


async def _sha256(page: bytes) -> str:
    """Hash in a thread: a dozen megabytes would block the event loop."""
    return await asyncio.to_thread(lambda: hashlib.sha256(page).hexdigest())
