"""The Open Inference Protocol, version 2: pages as in POST /classify, refusals in the protocol's form."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from service import __version__
from service.answers import Asked, RefusedPageError
from service.classify import ClassificationResult, LoadedModel, classify
from service.errors import KINDS, InvalidInferenceError, ServiceError
from service.open_inference import InferenceAnswer, ModelMetadata, encode_answer, parse_request
from service.problems import refusal_headers
from service.routes.common import KNOWN_QUERY, PROTECTED, DeadlineHeader, WorkRoute, asked_by, service_of
from service.upload import read_raw
from service.workers import check_cancelled
from shared_preproc.errors import PreprocError

__all__ = ["infer_router", "open_router", "router"]

JSON_LENGTH_HEADER = "Inference-Header-Content-Length"
_MODEL = "/v2/models/{model}"
_VERSION = "/v2/models/{model}/versions/{version}"


class Refusal(BaseModel):
    """Why there is no answer: a code of the service's own interface, then words."""

    error: str


class Live(BaseModel):
    """The process answers."""

    live: Literal[True] = True


class Ready(BaseModel):
    """Requests should come here."""

    ready: Literal[True] = True


class ModelReady(Ready):
    """The model can be asked for."""

    name: str


class Server(BaseModel):
    """What answers, and what of the protocol it does beyond the core."""

    name: Literal["ecg-report-classifier"] = "ecg-report-classifier"
    version: str = __version__
    extensions: tuple[str, ...] = ("binary_tensor_data",)


class _ProtocolRoute(APIRoute):
    """A route with the protocol's refusals."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_in_protocol(request: Request) -> Response:
            try:
                return await handle(request)
            except (ServiceError, PreprocError) as error:
                return _refusal(request, error)
            except RequestValidationError:
                return _refusal(request, InvalidInferenceError("a header that is malformed"))

        return handle_in_protocol


class _InferRoute(_ProtocolRoute, WorkRoute):
    """The same, also while the queue is full."""


_REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": "A refusal; `error` begins with one of the codes of `/classify`."}
    for status in ("4XX", "5XX")
}
_REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "As the protocol says; bytes may stand behind the JSON.",
        "content": {
            "application/json": {"schema": {"type": "object", "description": "the protocol's request"}},
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary", "description": "the same, the pages behind the JSON"}
            },
        },
    }
}
_TAGS: list[str | Enum] = ["open inference protocol v2"]
open_router = APIRouter(tags=_TAGS, route_class=_ProtocolRoute, responses=_REFUSED)
"""For orchestrators, which have no key."""
router = APIRouter(tags=_TAGS, route_class=_ProtocolRoute, responses=_REFUSED, dependencies=PROTECTED)
infer_router = APIRouter(tags=_TAGS, route_class=_InferRoute, responses=_REFUSED, dependencies=PROTECTED)


@open_router.get("/v2", summary="What answers", dependencies=[KNOWN_QUERY])
async def server() -> Server:
    """Name, version, extensions."""
    return Server()


@open_router.get("/v2/health/live", summary="Whether the process answers at all")
async def live() -> Live:
    """As `/health/live`."""
    return Live()


@open_router.get("/v2/health/ready", summary="Whether requests should come here")
async def ready(request: Request) -> Ready:
    """As `/health/ready`."""
    service_of(request).check_ready()
    return Ready()


@router.get(_MODEL, summary="What a model takes and gives")
async def model_metadata(request: Request, model: str) -> ModelMetadata:
    """`model` is an alias or a name; without a version, its newest one."""
    card = await asyncio.to_thread(service_of(request).catalog.card, model)
    return ModelMetadata.of(card.manifest)


@router.get(_VERSION, summary="What a model takes and gives")
async def version_metadata(request: Request, model: str, version: str) -> ModelMetadata:
    """The same, of one version."""
    return await model_metadata(request, f"{model}/{version}")


@router.get(f"{_MODEL}/ready", summary="Whether a model can be asked for")
async def model_ready(request: Request, model: str) -> ModelReady:
    """A model that is not the default may still have to be loaded for its first request."""
    service = service_of(request)
    service.check_ready()
    card = await asyncio.to_thread(service.catalog.card, model)
    return ModelReady(name=card.manifest.name)


@router.get(f"{_VERSION}/ready", summary="Whether a model can be asked for")
async def version_ready(request: Request, model: str, version: str) -> ModelReady:
    """The same, of one version."""
    return await model_ready(request, f"{model}/{version}")


@dataclass(frozen=True)
class _Asked:
    """A request without its body."""

    by: Asked
    model: LoadedModel
    json_bytes: int | None
    deadline_ms: int | None


async def _loaded(request: Request, model: str) -> LoadedModel:
    service = service_of(request)
    service.answers.check_recorded()  # before there is any work
    version = request.path_params.get("version")
    return await service.models.get(model if version is None else f"{model}/{version}")


async def _asked(
    request: Request,
    loaded: Annotated[LoadedModel, Depends(_loaded)],  # first: an unknown model outranks other faults
    json_bytes: Annotated[int | None, Header(alias=JSON_LENGTH_HEADER, ge=0)] = None,
    deadline_ms: DeadlineHeader = None,
) -> _Asked:
    return _Asked(asked_by(request), loaded, json_bytes, deadline_ms)


@infer_router.post(f"{_MODEL}/infer", summary="Classify report pages", openapi_extra=_REQUEST_BODY)
async def infer(request: Request, asked: Annotated[_Asked, Depends(_asked)]) -> Response:
    """Up to 16 pages in one BYTES tensor, `page`; each is classified as by `/classify`, and one refused refuses all."""
    service = service_of(request)
    request.state.bundle = asked.model.manifest.ref
    if request.headers.get("content-encoding", "identity") != "identity":
        raise InvalidInferenceError("a compressed body")
    async with service.admission.slot(request, deadline_ms=asked.deadline_ms, read=read_raw) as body:
        try:
            answer, results = await service.workers.run(_infer, body, asked)
        except RefusedPageError as refused:
            service.answers.note_refusal(asked.by, asked.model.manifest, refused)
            return _refusal(request, refused.cause, f"Page {refused.number}. ")
        service.answers.note_results(asked.by, results)
    if answer.json_bytes is None:
        return Response(answer.body, media_type="application/json")
    return Response(
        answer.body, headers={JSON_LENGTH_HEADER: str(answer.json_bytes)}, media_type="application/octet-stream"
    )


@infer_router.post(f"{_VERSION}/infer", summary="Classify report pages", openapi_extra=_REQUEST_BODY)
async def infer_version(
    request: Request,
    version: str,  # noqa: ARG001 - for the description; `_loaded` reads it
    asked: Annotated[_Asked, Depends(_asked)],
) -> Response:
    """The same, by one version."""
    return await infer(request, asked)


def _infer(body: bytes, asked: _Asked) -> tuple[InferenceAnswer, Sequence[ClassificationResult]]:
    inference = parse_request(body, asked.json_bytes)
    results = []
    for number, page in enumerate(inference.pages, 1):
        check_cancelled()
        try:
            results.append(classify(page, asked.model))
        except PreprocError as error:
            raise RefusedPageError(page, number, error) from error
    return encode_answer(inference, results, asked.by.request_id), results


def _refusal(request: Request, error: ServiceError | PreprocError, which: str = "") -> Response:
    kind = KINDS[type(error)]
    request.state.problem_code = kind.code  # for log and metrics
    words = f"{kind.code}: {which}{kind.title}. Found: {error.found}. Expected: {error.expected}. {error.remedy}"
    return Response(Refusal(error=words).model_dump_json(), kind.status, refusal_headers(error), "application/json")
