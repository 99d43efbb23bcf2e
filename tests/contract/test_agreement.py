"""Training and serving agree: the service's answer is the trainer's evaluation, page by page."""

from pathlib import Path

import numpy as np

from model_registry.registry import Registry
from shared_preproc.layout import EDAN_3X4_R1
from tests.service.serving import serving, settings_for
from trainer.calibrate import calibrate
from trainer.classes import CLASS_NAMES
from trainer.dataset import read_pages
from trainer.evaluate import Evaluation
from trainer.export import export
from trainer.fusion_bundle import publish_fusion
from trainer.members import mean_page_logits, train_members
from trainer.run import Run

TOLERANCE = 1e-6
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


def test_the_service_answers_what_the_fusion_members_say(evaluation: Evaluation, tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.promote(publish_fusion(evaluation, registry, "fusion"))
    pages = evaluation.leak_free.page_set
    chosen = np.linspace(0, len(pages.pages) - 1, PAGES_ASKED).astype(int)
    design, folder = evaluation.leak_free.design, evaluation.leak_free.folder / "members"
    members = train_members(pages, design.repeats, evaluation.fusion_config, folder)
    calibration = calibrate(evaluation.leak_free.out_of_fold("fusion")).calibration
    expected = calibration.probabilities(mean_page_logits(members, pages.traces[chosen]))
    with serving(settings_for(tmp_path)) as client:
        for row, probabilities in zip(chosen, expected, strict=True):
            answer = client.post("/classify", files={"file": pages.pages[row].path.read_bytes()}).json()
            assert answer["seen_in_training"] is True
            by_page = [answer["probabilities"][name] for name in CLASS_NAMES]
            np.testing.assert_allclose(by_page, probabilities, atol=TOLERANCE)
