"""Two readers and findings through the whole service: what is answered, and what is referred for which reason."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from model_registry.registry import Registry
from service.classify import ClassificationResult, LoadedModel, classify
from service.models.onnx import OnnxClassifier, Probabilities
from shared_preproc.tensor import Tensor
from tests.bundles import CLASS_NAMES, CRITICAL, FINDINGS, Said, policy, publish_readers, reader_rules
from tests.factories import page_jpeg
from tests.service.serving import serving, settings_for

BETWEEN_60_AND_75 = page_jpeg("normal", 2)
"""At 64/min: at 75/min its curves end early, which the stub graph sees."""
FAST = page_jpeg("abnormal_heartbeat", 1)
"""At 123/min."""

ABNORMAL = Said.unanimous(0.97, 0.01, 0.01, 0.01)
INFARCTION = Said.unanimous(0.01, 0.02, 0.96, 0.01)


def classified(
    folder: Path, said: Said, resampled: Said | None = None, page: bytes = BETWEEN_60_AND_75, **decision: Any
) -> ClassificationResult:
    registry = Registry(folder)
    rules = policy(**({"readers": reader_rules()} | decision))
    bundle = registry.load(publish_readers(registry, said=said, resampled=resampled, decision=rules))
    return classify(page, LoadedModel(bundle.manifest, OnnxClassifier(bundle, wanted="cpu", threads=1)))


def codes(result: ClassificationResult) -> list[str]:
    return [reason.code for reason in result.decision.reasons]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Said(), []),
        (ABNORMAL, []),
        (INFARCTION, []),
        (Said(findings_network=(0.31, 0.0, 0.0, 0.69)), ["readers_disagree"]),
        (Said(class_network=(0.51, 0.0, 0.0, 0.49)), ["readers_disagree"]),
        (Said(findings_network=(0.0, 0.1, 0.15, 0.75)), ["possible_infarction"]),
        (Said(class_network=(0.0, 0.25, 0.0, 0.75)), ["possible_infarction"]),
        (Said(page=(0.3, 0.0, 0.0, 0.7)), ["uncertain"]),
        (Said(findings_network=(0.0, 0.5, 0.5, 0.0)), ["readers_disagree", "possible_infarction"]),
    ],
)
def test_readers_must_agree(tmp_path: Path, said: Said, expected: list[str]) -> None:
    result = classified(tmp_path, said)
    assert codes(result) == expected
    assert result.decision.status == ("referred" if expected else "reported")


@pytest.mark.parametrize(
    ("said", "resampled", "page", "expected"),
    [
        pytest.param(ABNORMAL, Said(), BETWEEN_60_AND_75, ["rate_alone"], id="becomes normal"),
        pytest.param(ABNORMAL, INFARCTION, BETWEEN_60_AND_75, ["rate_alone"], id="becomes another"),
        pytest.param(INFARCTION, Said(), BETWEEN_60_AND_75, ["rate_alone"], id="an infarction as well"),
        pytest.param(ABNORMAL, ABNORMAL, BETWEEN_60_AND_75, [], id="stays"),
        pytest.param(Said(), ABNORMAL, BETWEEN_60_AND_75, [], id="normal is not asked again"),
        pytest.param(ABNORMAL, Said(), FAST, [], id="a fast rate is abnormal by itself"),
    ],
)
def test_rate_alone(tmp_path: Path, said: Said, resampled: Said, page: bytes, expected: list[str]) -> None:
    assert codes(classified(tmp_path, said, resampled, page)) == expected


def test_one_reader_is_read_once(tmp_path: Path) -> None:
    assert codes(classified(tmp_path, ABNORMAL, Said(), readers=None)) == []


@pytest.mark.parametrize(
    ("leading", "top"),
    [("fused", "abnormal_heartbeat"), ("class_network", CRITICAL), ("findings_network", "normal")],
)
def test_who_leads_gives_the_answer(tmp_path: Path, leading: str, top: str) -> None:
    said = Said(ABNORMAL.page, INFARCTION.page, Said().page)
    result = classified(tmp_path, said, leading=leading, readers=None)
    assert max(result.page, key=result.page.__getitem__) == top
    assert result.readers is not None
    assert list(result.readers.class_network.values()) == pytest.approx(INFARCTION.page, abs=1e-6)
    assert list(result.readers.findings_network.values()) == pytest.approx(Said().page, abs=1e-6)


def test_who_leads_answers_at_the_reference_rate(tmp_path: Path) -> None:
    rules: dict[str, Any] = {
        "leading": "findings_network",
        "readers": reader_rules(class_network_from=dict.fromkeys(CLASS_NAMES, 0.0)),
    }
    said = Said(Said().page, Said().page, ABNORMAL.page)
    stays = Said(Said().page, Said().page, ABNORMAL.page)
    changes = Said(ABNORMAL.page, ABNORMAL.page, Said().page)
    assert codes(classified(tmp_path / "stays", said, stays, **rules)) == []
    assert codes(classified(tmp_path / "changes", said, changes, **rules)) == ["rate_alone"]


class Numberless:
    """Loses the numbers of one part of a real classifier's answers."""

    provider = "cpu"
    failure = None

    def __init__(self, classifier: OnnxClassifier, part: str, *, from_run: int = 1) -> None:
        self._classifier = classifier
        self._part = part
        self._from_run = from_run
        self._runs = 0

    def run(self, tensor: Tensor) -> Probabilities:
        said = self._classifier.run(tensor)
        self._runs += 1
        if self._runs >= self._from_run:
            getattr(said, self._part)[..., -1] = np.nan
        return said


@pytest.mark.parametrize(("part", "from_run"), [("pages", 1), ("readers", 1), ("pages", 2)])
def test_no_number_is_never_reported(tmp_path: Path, part: str, from_run: int) -> None:
    registry = Registry(tmp_path)
    bundle = registry.load(publish_readers(registry, said=ABNORMAL))
    classifier = Numberless(OnnxClassifier(bundle, wanted="cpu", threads=1), part, from_run=from_run)
    assert classify(BETWEEN_60_AND_75, LoadedModel(bundle.manifest, classifier)).decision.status == "referred"


def test_answer_lists_findings_and_readers(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    said = Said(findings=(0.5, 0.39, 0.31))
    registry.promote(publish_readers(registry, said=said))
    with serving(settings_for(tmp_path)) as client:
        answer = client.post("/classify", content=BETWEEN_60_AND_75).json()
    expected = zip(FINDINGS, said.findings, (True, False, True), strict=True)
    assert answer["findings"] == [
        {
            "code": spec.code,
            "name": spec.name,
            "probability": pytest.approx(probability, abs=1e-6),
            "threshold": spec.threshold,
            "present": present,
        }
        for spec, probability, present in expected
    ]
    assert list(answer["readers"]) == ["class_network", "findings_network"]
    for name, row in (("class_network", said.class_network), ("findings_network", said.findings_network)):
        assert list(answer["readers"][name]) == list(CLASS_NAMES)
        assert list(answer["readers"][name].values()) == pytest.approx(row, abs=1e-6)
    assert answer["policy"] == "bundle"


@pytest.mark.parametrize(
    ("page", "rate"), [(BETWEEN_60_AND_75, "normal"), (FAST, "fast"), (page_jpeg("abnormal_heartbeat", 0), "slow")]
)
def test_answer_says_slow_and_fast(client: httpx.Client, page: bytes, rate: str) -> None:
    quality = client.post("/classify", content=page).json()["quality"]
    assert (quality["rate"], quality["regular"]) == (rate, True)


def test_irregular_rhythm_is_said(client: httpx.Client) -> None:
    quality = client.post("/classify", content=page_jpeg("abnormal_heartbeat", 3)).json()["quality"]
    assert quality["regular"] is False


def test_open_inference_decides_alike(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.promote(publish_readers(registry, "changing", ABNORMAL, Said()))
    publish_readers(registry, "staying", ABNORMAL)
    with serving(settings_for(tmp_path)) as client:
        decisions = [decision(client, model, BETWEEN_60_AND_75) for model in ("changing", "staying")]
    assert decisions == [["referred"], ["reported"]]


def decision(client: httpx.Client, model: str, page: bytes) -> list[str]:
    """The decision as /v2 gives it, the page sent as bytes behind the JSON."""
    element = len(page).to_bytes(4, "little") + page
    tensor = f'{{"name":"page","datatype":"BYTES","shape":[1],"parameters":{{"binary_data_size":{len(element)}}}}}'
    head = f'{{"inputs":[{tensor}],"outputs":[{{"name":"decision"}}]}}'.encode()
    response = client.post(
        f"/v2/models/{model}/infer",
        content=head + element,
        headers={"Inference-Header-Content-Length": str(len(head))},
    )
    data: list[str] = response.json()["outputs"][0]["data"]
    return data


def test_explanation_is_of_who_leads(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    rules = policy(leading="findings_network", readers=reader_rules())
    ref = publish_readers(registry, said=Said(ABNORMAL.page, ABNORMAL.page, Said().page), decision=rules)
    registry.promote(ref)
    with serving(settings_for(tmp_path)) as client:
        answer = client.post("/classify?explain=true", content=BETWEEN_60_AND_75).json()
    assert answer["predicted_class"] == "normal"
    assert sum(lead["explanation"]["weight"] for lead in answer["leads"]) == pytest.approx(1, abs=1e-3)
