"""GET /models, and the card of one model."""

import asyncio

from fastapi import APIRouter, Request

from service import errors
from service.problems import problem_responses
from service.routes.common import ACCESS_REFUSALS, PROTECTED, service_of
from service.schemas.models import BrokenModel, DefaultEntry, ModelCard, ModelEntry, ModelList

__all__ = ["router"]

router = APIRouter(tags=["models"], dependencies=PROTECTED)


@router.get(
    "/models",
    summary="Which models there are",
    responses=problem_responses(errors.RegistryUnavailableError, *ACCESS_REFUSALS),
)
async def list_models(request: Request) -> ModelList:
    """Every bundle in the registry, those that are refused with the reason."""
    service = service_of(request)
    contents = await asyncio.to_thread(service.catalog.contents)
    default, rules = service.models.default.state, service.loader.rules
    return ModelList(
        default=DefaultEntry.model_validate(default),
        models=[
            ModelEntry.of(bundle, contents.aliases, default.model, reports=rules.in_force(bundle) is not None)
            for bundle in contents.bundles
        ],
        broken=[BrokenModel(model=error.ref, reason=error.reason) for error in contents.broken],
    )


@router.get(
    "/models/{name}/{version}/card",
    summary="What a model is, and what its answers are worth",
    responses=problem_responses(
        errors.UnknownModelError, errors.BrokenModelError, errors.RegistryUnavailableError, *ACCESS_REFUSALS
    ),
)
async def model_card(request: Request, name: str, version: str) -> ModelCard:
    """The model's card: what it is for and not for, its data, its figures and its limits."""
    return ModelCard.of(await asyncio.to_thread(service_of(request).catalog.card, f"{name}/{version}"))
