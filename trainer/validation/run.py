"""One validation: read the data, ask the bundle, write the report."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_registry.bundle import Bundle
from model_registry.policy import SitePolicy
from shared_preproc.spec import PreprocSpec
from trainer.classes import CLASS_NAMES
from trainer.errors import DatasetError
from trainer.known_answers import KnownAnswers
from trainer.ptbxl import is_ptbxl, read_ptbxl
from trainer.site_signals import read_mapping, read_site_signals
from trainer.validation.decisions import GraphAnswers, answers
from trainer.validation.figures import Answers, external_figures
from trainer.validation.inputs import CART_BAND_HZ, Inputs, page_inputs, signal_inputs
from trainer.validation.plots import draw_validation
from trainer.validation.report import report_text

__all__ = ["Source", "read_inputs", "write_validation"]


@dataclass(frozen=True)
class Source:
    """What to validate on: class folders of pages, PTB-XL, or recordings with a table of labels."""

    data: Path
    labels_csv: Path | None = None
    """Of recordings other than PTB-XL; needs ``mapping``."""
    mapping: Path | None = None
    groups_csv: Path | None = None
    """Of pages, as `read_data` takes it."""
    band_hz: tuple[float, float] | None = CART_BAND_HZ
    """Of recordings; None leaves the band as it is."""
    limit: int | None = None
    """Rows, chosen evenly; None: all."""


def read_inputs(source: Source, spec: PreprocSpec) -> Inputs:
    """Read whichever ``source.data`` is.

    Raises:
        DatasetError: it is none of them, or cannot be read.
    """
    if (source.labels_csv is None) != (source.mapping is None):
        raise DatasetError("recordings need both --labels and --mapping; docs/validation.md shows them")
    if source.labels_csv is not None and source.mapping is not None:
        mapping = read_mapping(source.mapping)
        signals = read_site_signals(source.data, source.labels_csv, mapping, source.limit)
    elif is_ptbxl(source.data):
        signals = read_ptbxl(source.data, source.limit)
    else:
        return page_inputs(source.data, source.groups_csv, spec, source.limit)
    return signal_inputs(signals, spec, source.band_hz)


def write_validation(
    bundle: Bundle,
    asked: GraphAnswers,
    folder: Path,
    *,
    band_hz: tuple[float, float] | None = None,
    site_policy: SitePolicy | None = None,
) -> dict[str, Any]:
    """Write `report.json`, `report.md`, `answers.csv` and pictures into ``folder``; gives the report.

    The figures follow the bundle's own policy; ``site_policy`` adds its cross-fitted ones. What the bundle was trained
    on is judged by its stored answers out of fold.
    """
    inputs, manifest = asked.inputs, bundle.manifest
    thresholds = {finding.code: finding.threshold for finding in manifest.findings}
    decided, out_of_fold = answers(asked, manifest.decision, thresholds), 0
    trained_on = inputs.trained_on(bundle)
    if bundle.out_of_fold is not None:
        decided, out_of_fold = KnownAnswers.unpack(bundle.out_of_fold).in_place_of(decided, trained_on)
    seen = len(trained_on) - trained_on.count(None)
    report: dict[str, Any] = {
        "bundle": {
            "ref": manifest.ref,
            "sha256": manifest.model_sha256,
            "policy": None if manifest.decision is None else manifest.decision.model_dump(mode="json"),
        },
        "data": {
            "name": inputs.name,
            "kind": inputs.kind,
            "refused": inputs.refused,
            "out_of_fold": out_of_fold,
            "seen_in_training": seen - out_of_fold,
            "band_hz": band_hz if inputs.kind == "recordings" else None,
        },
        "figures": external_figures(decided, inputs.labels, manifest.decision),
        "site_policy": None if site_policy is None else site_policy.model_dump(mode="json"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / "report.md").write_text(report_text(report))
    _write_answers(inputs, decided, folder / "answers.csv")
    draw_validation(report["figures"], folder)
    return report


def _write_answers(inputs: Inputs, decided: Answers, path: Path) -> None:
    with path.open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["id", "right", "answered", "probability", "decision", "reasons", "heart_rate_bpm"])
        for row, name in enumerate(inputs.ids):
            rate, reasons = decided.heart_rates_bpm[row], decided.reasons[row]
            table.writerow(
                [
                    name,
                    "|".join(CLASS_NAMES[place] for place in inputs.labels.classes[row].nonzero()[0]),
                    CLASS_NAMES[decided.top[row]],
                    f"{decided.probabilities[row].max():.4f}",
                    "referred" if reasons else "reported",
                    "|".join(reasons),
                    "" if np.isnan(rate) else f"{rate:.0f}",
                ]
            )
