"""GET /health: liveness and readiness. GET /metrics: counters for Prometheus."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse

from service import __version__, errors
from service.problems import problem_responses
from service.routes.common import service_of

__all__ = ["metrics_router", "router"]

router = APIRouter(prefix="/health", tags=["health"])
metrics_router = APIRouter(tags=["health"])

_NOT_READY = problem_responses(errors.NotReadyError, errors.AuditUnavailableError)


class Health(BaseModel):
    """The service is ready."""

    status: Literal["ok"] = "ok"
    model: Annotated[str, Field(description="`name/version` of the default model.")]
    provider: Annotated[str, Field(description="Where it runs: `cpu` or `cuda`.")]
    version: Annotated[str, Field(description="Of the service.")]
    pending: Annotated[
        str | None, Field(description="`name/version` that was promoted and does not answer yet, or is refused.")
    ]
    problem: Annotated[str | None, Field(description="Why it is refused, or why the registry cannot be read.")]
    degraded: Annotated[
        list[str], Field(description="Parts that fail although the service answers, `audit` or `site_policy`.")
    ]


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


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
