"""GET /health: liveness and readiness. GET /metrics: counters for Prometheus."""

from fastapi import APIRouter, Request
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import PlainTextResponse

from service import __version__, errors
from service.problems import problem_responses
from service.routes.common import service_of
from service.schemas.classification import Health, Liveness

__all__ = ["metrics_router", "router"]

router = APIRouter(prefix="/health", tags=["health"])
metrics_router = APIRouter(tags=["health"])

_NOT_READY = problem_responses(errors.NotReadyError, errors.AuditUnavailableError)


@router.get("/ready", summary="The same, for orchestrators", responses=_NOT_READY)
@router.get("", summary="Whether and with what the service answers", responses=_NOT_READY)
async def ready(request: Request) -> Health:
    """503 while starting, while draining, and without a default model; the reason is in `found`.

    200 with a `problem` where another model was promoted and refused: the one before it goes on answering.
    """
    service = service_of(request)
    service.check_ready()
    default = service.models.default
    return Health(
        model=default.model.manifest.ref,
        provider=default.model.classifier.provider,
        version=__version__,
        pending=default.state.pending,
        problem=default.state.problem,
        degraded=service.degraded,
    )


@router.get("/live", summary="Whether the process answers at all")
async def live() -> Liveness:
    """200 as long as the process is not stuck: restarting helps only when this fails."""
    return Liveness()


@metrics_router.get("/metrics", summary="What is counted, for Prometheus", response_class=PlainTextResponse)
async def metrics(request: Request) -> PlainTextResponse:
    """Counters and gauges in Prometheus' text format; answered without a worker, whatever the load."""
    return PlainTextResponse(service_of(request).metrics.text(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
