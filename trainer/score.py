"""What the exported graph gets right on pages it was not trained on. What is scored is what is served.

For validation and test, per lead image and per page: figures as JSON, pictures, and a short text.
"""

from collections.abc import Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.classes import CLASS_NAMES
from trainer.export import run_graph, write_graph
from trainer.metrics import classification_metrics
from trainer.prepare import LeadImages
from trainer.report import draw_classes, draw_confusion, draw_curves, report_text
from trainer.run import Run
from trainer.splits import Split

__all__ = ["score"]

_HELD_OUT: tuple[Split, ...] = ("validation", "test")
_PER = ("lead_image", "page")
_HEADLINE = ("accuracy", "accuracy_ci95", "balanced_accuracy", "f1", "f1_macro")


def score(run: Run) -> dict[str, Any]:
    """Export the run's best epoch, score it, write ``predictions.json``, ``report.json``, ``report.md`` and pictures.

    Gives the report: ``figures[split][per]`` with ``per`` one of ``lead_image`` and ``page``, how much of a split are
    ``copies`` of training pages and what they are worth, and ``headline``.
    """
    graph = write_graph(run)
    trained = {page["image"] for page in run.read_json("split.json") if page["split"] == "train"}
    figures: dict[str, dict[str, Any]] = {}
    predictions: list[dict[str, Any]] = []
    for split in _HELD_OUT:
        images = run.lead_images(split)
        by_lead, by_page = run_graph(graph, images.tensors)
        figures[split] = _score(images, by_lead, by_page) | {"copies": _score_copies(images, by_lead, by_page, trained)}
        predictions += _predictions(split, images, by_lead, by_page)
    report = {"headline": _headline(run, figures), "class_names": CLASS_NAMES, "figures": figures}
    run.write_json("predictions.json", predictions)
    run.write_json("report.json", report)
    draw_curves(run.history, run.folder)
    _draw(run, figures)
    run.write_bytes("report.md", report_text(run, report).encode())
    return report


def _score(images: LeadImages, by_lead: NDArray[np.float32], by_page: NDArray[np.float32]) -> dict[str, Any]:
    pages, leads, classes = by_lead.shape
    lead_labels = np.repeat(images.labels, leads)
    return {
        "lead_image": classification_metrics(lead_labels, by_lead.reshape(pages * leads, classes), CLASS_NAMES),
        "page": classification_metrics(images.labels, by_page, CLASS_NAMES),
    }


def _score_copies(
    images: LeadImages, by_lead: NDArray[np.float32], by_page: NDArray[np.float32], trained: Set[str]
) -> dict[str, Any]:
    """Accuracy on pages that are copies of training pages, and on the others."""
    copies = np.array([page["image"] in trained for page in images.pages])
    right_leads = (by_lead.argmax(axis=-1) == images.labels[:, np.newaxis]).mean(axis=1)
    right_pages = by_page.argmax(axis=-1) == images.labels
    return {
        which: {
            "pages": int(chosen.sum()),
            "lead_image_accuracy": float(right_leads[chosen].mean()) if chosen.any() else None,
            "page_accuracy": float(right_pages[chosen].mean()) if chosen.any() else None,
        }
        for which, chosen in (("copies", copies), ("others", ~copies))
    }


def _predictions(
    split: Split, images: LeadImages, by_lead: NDArray[np.float32], by_page: NDArray[np.float32]
) -> list[dict[str, Any]]:
    return [
        {
            "split": split,
            "class": page["class"],
            "name": page["name"],
            "sha256": page["sha256"],
            "page_probabilities": page_probabilities.tolist(),
            "lead_probabilities": lead_probabilities.tolist(),
        }
        for page, page_probabilities, lead_probabilities in zip(images.pages, by_page, by_lead, strict=True)
    ]


def _headline(run: Run, figures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "protocol": run.read_json("config.json")["prepared"]["protocol"],
        **{
            f"{split}_{per}": {name: figures[split][per][name] for name in _HEADLINE}
            for split in _HELD_OUT
            for per in _PER
        },
    }


def _draw(run: Run, figures: dict[str, dict[str, Any]]) -> None:
    for split in _HELD_OUT:
        for per in _PER:
            metrics = figures[split][per]
            title = f"{split}, per {per.replace('_', ' ')}"
            draw_confusion(metrics["confusion_matrix"], CLASS_NAMES, title, run.folder / f"confusion_{split}_{per}.png")
            draw_classes(metrics["classes"], title, run.folder / f"classes_{split}_{per}.png")
