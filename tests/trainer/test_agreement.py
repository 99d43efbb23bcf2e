"""Training and serving agree: the service's answer is the trainer's evaluation, page by page."""

from pathlib import Path

import numpy as np
import pytest

from model_registry.registry import Registry
from shared_preproc.layout import EDAN_3X4_R1
from tests.service.serving import serving, settings_for
from tests.trainer.fusion_run import FusionRun
from trainer.classes import CLASS_NAMES
from trainer.dataset import read_pages
from trainer.export import export
from trainer.members import mean_page_logits
from trainer.run import Run

pytestmark = pytest.mark.slow

TOLERANCE = 1e-4  # of rounded answers
PAGES_ASKED = 8


def test_the_service_answers_what_the_trainer_evaluated(evaluated: Run, few_pages: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.promote(export(evaluated, registry))
    paths = {page.sha256: page.path for page in read_pages(few_pages)}
    with serving(settings_for(tmp_path)) as client:
        for expected in evaluated.read_json("predictions.json"):
            answer = client.post("/classify", files={"file": paths[expected["sha256"]].read_bytes()}).json()
            assert answer["image"]["sha256"] == expected["sha256"]
            by_page = [answer["probabilities"][name] for name in CLASS_NAMES]
            np.testing.assert_allclose(by_page, expected["page_probabilities"], atol=TOLERANCE)
            by_name = {lead["lead"]: lead["probabilities"] for lead in answer["leads"]}
            by_lead = [[by_name[lead][name] for name in CLASS_NAMES] for lead in EDAN_3X4_R1.leads]
            np.testing.assert_allclose(by_lead, expected["lead_probabilities"], atol=TOLERANCE)


def test_the_service_answers_what_the_fusion_members_say(fusion_run: FusionRun) -> None:
    fusion_run.registry.promote("fusion/1")
    evidence = fusion_run.evidence
    pages = evidence.pages.page_set
    chosen = np.linspace(0, len(pages.pages) - 1, PAGES_ASKED).astype(int)
    traces = pages.traces[chosen]
    fused, readers = evidence.choice.probabilities(
        mean_page_logits(evidence.class_members, traces), evidence.findings.answer(traces)
    )
    with serving(settings_for(fusion_run.models)) as client:
        for place, row in enumerate(chosen):
            answer = client.post("/classify", files={"file": pages.pages[row].path.read_bytes()}).json()
            assert answer["seen_in_training"] is True
            by_page = [answer["probabilities"][name] for name in CLASS_NAMES]
            np.testing.assert_allclose(by_page, fused[place], atol=TOLERANCE)
            for reader, expected in zip(("class_network", "findings_network"), readers[place], strict=True):
                by_reader = [answer["readers"][reader][name] for name in CLASS_NAMES]
                np.testing.assert_allclose(by_reader, expected, atol=TOLERANCE)
