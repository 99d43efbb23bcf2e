"""The bundles that other tests are built on are real: ONNX Runtime runs them, and they keep the contract."""

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from model_registry.manifest import LEAD_PROBABILITIES, PAGE_PROBABILITIES
from shared_preproc.masks import INK
from tests.bundles import tiny_model


def run(model: bytes, masks: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"masks": masks}), strict=True))


def masks_with_ink(*shares: float) -> NDArray[np.uint8]:
    """One page for each share, every lead covered to that share times its own place."""
    random = np.random.default_rng(7).random((len(shares), 13, 150, 150))
    limit = np.array(shares)[:, None, None, None] * np.linspace(0.5, 1, 13)[None, :, None, None]
    return np.where(random < limit, INK, 0).astype(np.uint8)


@pytest.mark.parametrize("class_count", [2, 4, 7])
def test_gives_probabilities_for_each_lead_and_page(class_count: int) -> None:
    outputs = run(tiny_model(class_count), masks_with_ink(0.1, 0.5, 0.9))
    assert {name: output.shape for name, output in outputs.items()} == {
        LEAD_PROBABILITIES: (3, 13, class_count),
        PAGE_PROBABILITIES: (3, class_count),
    }
    for output in outputs.values():
        assert output.dtype == np.float32
        assert (output >= 0).all()
        np.testing.assert_allclose(output.sum(axis=-1), 1, rtol=1e-5)


def test_page_probabilities_are_the_sum_over_leads_normalised() -> None:
    outputs = run(tiny_model(), masks_with_ink(0.3, 0.6))
    summed = outputs[LEAD_PROBABILITIES].sum(axis=1)
    np.testing.assert_allclose(outputs[PAGE_PROBABILITIES], summed / summed.sum(axis=1, keepdims=True), rtol=1e-5)


def test_the_answer_depends_on_every_lead() -> None:
    page = masks_with_ink(0.2)
    before = run(tiny_model(), page)[LEAD_PROBABILITIES][0]
    for lead in range(13):
        inked = page.copy()
        inked[0, lead] = INK
        after = run(tiny_model(), inked)[LEAD_PROBABILITIES][0]
        changed = np.abs(after - before).max(axis=1) > 0.01
        assert changed.tolist() == [index == lead for index in range(13)]


def test_models_of_different_sharpness_answer_differently() -> None:
    page = masks_with_ink(0.5)
    mild, sharp = (run(tiny_model(sharpness=sharpness), page)[PAGE_PROBABILITIES] for sharpness in (2, 20))
    assert np.abs(mild - sharp).max() > 0.05


def test_is_of_a_kind_that_older_runtimes_read() -> None:
    model = onnx.load_model_from_string(tiny_model())
    assert model.ir_version <= 10
    assert [opset.version for opset in model.opset_import] == [17]
