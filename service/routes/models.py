"""GET /models, and the card of one model."""

import asyncio
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, JsonValue

from model_registry.bundle import Card
from model_registry.classes import CLASS_MEANINGS
from model_registry.figures import Figures
from model_registry.history import History
from model_registry.manifest import CARD_FILE, BundleManifest, FindingSpec
from model_registry.policy import DecisionPolicy
from service import errors
from service.problems import problem_responses
from service.routes.common import ACCESS_REFUSALS, PROTECTED, service_of
from service.schemas.page import FromOurs

__all__ = ["router"]


class ModelEntry(BaseModel):
    """A bundle that can be asked for."""

    name: str
    version: str
    description: str
    aliases: list[str]
    default: Annotated[bool, Field(description="Answers when no model is asked for.")]
    class_names: tuple[str, ...]
    preprocessing: Annotated[str, Field(description="Fingerprint of the preprocessing numbers.")]
    sha256: Annotated[str, Field(description="Of the ONNX graph.")]
    metrics: dict[str, JsonValue]
    reports: Annotated[bool, Field(description="Has thresholds; otherwise every page is referred to a person.")]
    has_card: Annotated[bool, Field(description="Has a model card for programs; `GET /models/…/card` gives it.")]

    @classmethod
    def of(
        cls, manifest: BundleManifest, aliases: dict[str, str], default_ref: str | None, *, reports: bool
    ) -> "ModelEntry":
        return cls.model_validate(
            {
                **dict(manifest),
                "aliases": sorted(alias for alias, ref in aliases.items() if ref == manifest.ref),
                "default": manifest.ref == default_ref,
                "preprocessing": manifest.preprocessing_fingerprint,
                "sha256": manifest.model_sha256,
                "reports": reports,
                "has_card": CARD_FILE in manifest.files,
            }
        )


class BrokenModel(BaseModel):
    """A bundle that is not served."""

    model: Annotated[str, Field(description="`name/version`, or a name alone.")]
    reason: str


class DefaultEntry(FromOurs):
    """What answers when no model is asked for, and what should."""

    model: Annotated[str | None, Field(description="`name/version`; null: none is loaded.")]
    pending: Annotated[str | None, Field(description="`name/version` that was promoted and does not answer yet.")]
    problem: Annotated[str | None, Field(description="Why it does not; null: nothing is wrong.")]


class ModelList(BaseModel):
    """Every bundle in the registry."""

    default: DefaultEntry
    models: list[ModelEntry]
    broken: list[BrokenModel]


class ModelCard(BaseModel):
    """What a bundle says about itself."""

    name: str
    version: str
    description: str
    class_names: tuple[str, ...]
    class_meanings: Annotated[dict[str, str], Field(description="What a class means, for people, by class name.")]
    findings: Annotated[tuple[FindingSpec, ...], Field(description="In the order of an answer's `findings`.")]
    created_at: datetime
    metrics: dict[str, JsonValue]
    calibration: Annotated[dict[str, JsonValue] | None, Field(description="Null: the probabilities are as they came.")]
    decision: Annotated[
        DecisionPolicy | None,
        Field(
            description="Its thresholds, with what they gave on the pages that they were chosen on; expect worse on "
            "others: `card` may have it, as `decision_figures.cross_fitted`. Null: every page is referred."
        ),
    ]
    origin: dict[str, JsonValue]
    figures: Annotated[
        Figures | None,
        Field(description="On held-out pages; null where the bundle holds none in a known form."),
    ]
    history: Annotated[History | None, Field(description="How it learned; null where the bundle does not say.")]
    card: Annotated[dict[str, JsonValue] | None, Field(description="The model card; null where the bundle has none.")]
    text: Annotated[str | None, Field(description="The same for people, in Markdown.")]

    @classmethod
    def of(cls, card: Card) -> "ModelCard":
        meanings = {name: CLASS_MEANINGS[name] for name in card.manifest.class_names if name in CLASS_MEANINGS}
        return cls.model_validate(
            {
                **dict(card.manifest),
                "class_meanings": meanings,
                "figures": card.figures,
                "history": card.history,
                "card": card.content,
                "text": card.text,
            }
        )


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
            ModelEntry.of(bundle, contents.aliases, default.model, reports=rules.in_force(bundle).policy is not None)
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
