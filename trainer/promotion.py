"""Whether a new bundle may take the place of the promoted one."""

from typing import Any

from model_registry.errors import RegistryError
from model_registry.manifest import BundleManifest
from model_registry.registry import Registry

__all__ = ["figure_words", "why_not_promote"]

_TOLERANCE = 0.01
"""By so much a figure may be lower by chance: another seed moves it as far."""


def why_not_promote(registry: Registry, reference: str, alias: str) -> str | None:
    """Say why ``reference`` should not become ``alias``; ``None``: nothing speaks against it.

    A bundle needs thresholds, and figures on the promoted bundle's own evidence that are not worse.

    Raises:
        RegistryError: the new bundle cannot be read.
    """
    new = registry.load(reference).manifest
    if new.decision is None:
        return f"{new.ref} has no thresholds, so that every page would be referred"
    try:
        old = registry.load(alias).manifest
    except RegistryError:  # nothing is promoted, or it is broken
        return None
    if old.decision is None:
        return None
    if new.origin.get("evidence") != old.origin.get("evidence"):
        return f"{new.ref} was judged on other data than {old.ref}, so that they cannot be compared"
    worse = [
        f"{name} {_words(new_figure)} instead of {_words(old_figure)}"
        for (name, new_figure), (_, old_figure) in zip(_figures(new).items(), _figures(old).items(), strict=True)
        if old_figure is not None and (new_figure is None or new_figure < old_figure - _TOLERANCE)
    ]
    return f"{new.ref} is worse than {old.ref}: {', '.join(worse)}" if worse else None


def figure_words(manifest: BundleManifest) -> str:
    """Say the figures by which bundles are compared in one line; a dash: not measured."""
    figures = _figures(manifest).items()
    return ", ".join(f"{name} {_words(figure)}" for name, figure in figures)


def _figures(manifest: BundleManifest) -> dict[str, float | None]:
    metrics: dict[str, Any] = dict(manifest.metrics)
    external = metrics.get("external") or {}
    reported = external.get("reported") or {}
    return {
        "accuracy": _number(metrics.get("accuracy")),
        "macro F1": _number(metrics.get("f1_macro")),
        "other patients: normal": _number((external.get("normal_against_rest") or {}).get("auroc")),
        "infarction": _number((external.get("infarction_against_rest") or {}).get("auroc")),
        "reported right": _number((reported.get("accuracy") or {}).get("share")),
    }


def _words(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
