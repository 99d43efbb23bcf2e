"""GET /models. Knows HTTP only."""

import asyncio

from fastapi import APIRouter

from model_registry.manifest import BundleManifest
from service import errors
from service.dependencies import ServiceDep
from service.problems import problem_responses
from service.schemas import BrokenModel, ModelEntry, ModelList

__all__ = ["router"]

router = APIRouter(tags=["models"])


@router.get("/models", summary="Which models there are", responses=problem_responses(errors.RegistryUnavailableError))
async def list_models(service: ServiceDep) -> ModelList:
    """Every bundle in the registry, those that are refused with the reason."""
    contents = await asyncio.to_thread(service.catalog.contents)
    default_ref = service.models.default_ref
    return ModelList(
        models=[_entry(bundle, contents.aliases, default_ref) for bundle in contents.bundles],
        broken=[BrokenModel(model=error.ref, reason=error.reason) for error in contents.broken],
    )


def _entry(manifest: BundleManifest, aliases: dict[str, str], default_ref: str | None) -> ModelEntry:
    return ModelEntry(
        name=manifest.name,
        version=manifest.version,
        description=manifest.description,
        aliases=sorted(alias for alias, ref in aliases.items() if ref == manifest.ref),
        default=manifest.ref == default_ref,
        class_names=manifest.class_names,
        preprocessing=manifest.preprocessing_fingerprint,
        sha256=manifest.model_sha256,
        metrics=manifest.metrics,
    )
