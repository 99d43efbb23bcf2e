"""GET /metrics. Knows HTTP only."""

from fastapi import APIRouter, Request
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import PlainTextResponse

from service.dependencies import service_of

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get("/metrics", summary="What is counted, for Prometheus", response_class=PlainTextResponse)
async def metrics(request: Request) -> PlainTextResponse:
    """Counters and gauges in Prometheus' text format; answered without a worker, whatever the load."""
    return PlainTextResponse(service_of(request).metrics.text(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
