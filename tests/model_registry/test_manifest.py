"""What a draft and a manifest must say, and what is refused."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from model_registry.manifest import BundleManifest, FindingSpec, TensorSpec
from model_registry.policy import DecisionPolicy
from shared_preproc.layout import Box
from shared_preproc.leads import Lead
from shared_preproc.spec import MASKS_150
from tests.bundles import FINDINGS, draft, policy, reader_draft, reader_rules

SHA256 = "0" * 64


def manifest(**overrides: Any) -> BundleManifest:
    described = draft()
    fields: dict[str, Any] = {
        "version": "1",
        "created_at": datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
        "preprocessing_fingerprint": described.preprocessing.fingerprint,
        "files": {"model.onnx": SHA256, "card.md": SHA256},
    }
    return BundleManifest(**(dict(described) | fields | overrides))


def output(name: str, *shape: int | str) -> TensorSpec:
    return TensorSpec(name=name, dtype="float32", shape=shape)


def test_knows_its_reference_and_its_model() -> None:
    bundle = manifest(version="12", files={"model.onnx": "a" * 64})
    assert bundle.ref == "tiny/12"
    assert bundle.model_sha256 == "a" * 64


def test_comes_back_from_json_equal_with_real_leads_and_boxes() -> None:
    bundle = manifest(metrics={"accuracy": 0.1 + 0.2, "nested": {"folds": [1, 2.5, None, True]}})
    read = BundleManifest.model_validate_json(bundle.model_dump_json(), strict=True)
    assert read == bundle
    lead, box = read.preprocessing.layout.lead_boxes[0]
    assert isinstance(lead, Lead)
    assert isinstance(box, Box)


sizes = st.floats(min_value=0.1, max_value=100)


@given(sigma=sizes, px_per_mm=sizes, revision=st.integers(0, 2**53))
def test_every_number_of_the_preprocessing_survives_json(sigma: float, px_per_mm: float, revision: int) -> None:
    layout = replace(MASKS_150.layout, px_per_mm=px_per_mm)
    spec = replace(MASKS_150, layout=layout, gaussian_sigma_px=sigma, revision=revision)
    bundle = manifest(preprocessing=spec, preprocessing_fingerprint=spec.fingerprint)
    read = BundleManifest.model_validate_json(bundle.model_dump_json(), strict=True)
    assert asdict(read.preprocessing) == asdict(spec)
    assert read.preprocessing.fingerprint == spec.fingerprint


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"name": "Tiny"}, id="capital in the name"),
        pytest.param({"name": "../tiny"}, id="path in the name"),
        pytest.param({"name": "tiny\n"}, id="newline in the name"),
        pytest.param({"name": "t" * 64}, id="long name"),
        pytest.param({"version": "0"}, id="version 0"),
        pytest.param({"version": "01"}, id="leading zero"),
        pytest.param({"version": "1.0"}, id="dotted version"),
        pytest.param({"created_at": datetime(2025, 1, 2)}, id="time without zone"),  # noqa: DTZ001
        pytest.param({"class_names": ("normal",)}, id="one class"),
        pytest.param({"class_names": ("normal", "normal", "mi", "abnormal")}, id="a class twice"),
        pytest.param({"class_names": ("normal", "mi", "abnormal", "")}, id="a class without a name"),
        pytest.param({"class_names": ("normal", "mi", "abnormal")}, id="fewer classes than the outputs give"),
        pytest.param({"outputs": (output("page_probabilities", "pages", 4),)}, id="no lead probabilities"),
        pytest.param({"outputs": (output("lead_probabilities", "pages", 13, 4),)}, id="no page probabilities"),
        pytest.param({"outputs": draft().outputs * 2}, id="an output twice"),
        pytest.param({"metrics": {"loss": float("nan")}}, id="a figure that JSON cannot hold"),
        pytest.param({"metrics": {"when": datetime(2025, 1, 2, tzinfo=UTC)}}, id="a figure that is not JSON"),
        pytest.param({"files": {"card.md": SHA256}}, id="no model"),
        pytest.param({"files": {"model.onnx": "0" * 63}}, id="short checksum"),
        pytest.param({"files": {"model.onnx": SHA256, "manifest.json": SHA256}}, id="manifest lists itself"),
        pytest.param({"preprocessing_fingerprint": SHA256}, id="fingerprint of other numbers"),
        pytest.param({"comment": "hello"}, id="unknown field"),
    ],
)
def test_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        manifest(**wrong)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b", ".hidden", "", "..", "a\\b", "a\0", "é", "x" * 129])
def test_file_names_are_flat(name: str) -> None:
    with pytest.raises(ValidationError):
        manifest(files={"model.onnx": SHA256, name: SHA256})


@pytest.mark.parametrize("shape", [(), (1, 13), ("rows", 13), ("pages", 0), ("pages", -1), ("pages", "")])
def test_a_tensor_counts_pages_first_and_has_no_empty_axis(shape: tuple[int | str, ...]) -> None:
    with pytest.raises(ValidationError):
        TensorSpec(name="masks", dtype="uint8", shape=shape)


@pytest.mark.parametrize(("dtype", "shape"), [("float32", (13, 150, 150)), ("uint8", (13, 150, 151))])
def test_input_must_match_the_preprocessing(dtype: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match="the preprocessing makes"):
        manifest(input=TensorSpec(name="masks", dtype=dtype, shape=("pages", *shape)))


def test_a_free_last_axis_fits_any_number_of_classes() -> None:
    outputs = (output("lead_probabilities", "pages", 13, "classes"), output("page_probabilities", "pages", "classes"))
    assert draft(outputs=outputs, class_names=("a", "b", "c")).class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    "decision",
    [
        pytest.param(policy(critical_class="asystole"), id="unknown critical class"),
        pytest.param(policy(readers=reader_rules(normal_class="healthy")), id="unknown normal class"),
        pytest.param(policy(readers=reader_rules(infarction_classes=("mi",))), id="unknown infarction class"),
    ],
)
def test_a_decision_about_other_classes_is_refused(decision: DecisionPolicy) -> None:
    with pytest.raises(ValidationError, match="not among class_names"):
        reader_draft(decision=decision)


@pytest.mark.parametrize("changes", [{"readers": reader_rules()}, {"leading": "class_network"}])
def test_a_decision_by_readers_needs_their_output(changes: dict[str, Any]) -> None:
    assert reader_draft(decision=policy(**changes)).decision
    with pytest.raises(ValidationError, match="outputs do not contain reader_probabilities"):
        draft(decision=policy(**changes))


def test_rules_for_readers_need_traces() -> None:
    outputs = (*draft().outputs, output("reader_probabilities", "pages", 2, 4))
    with pytest.raises(ValidationError, match="resample traces"):
        draft(outputs=outputs, decision=policy(readers=reader_rules()))


@pytest.mark.parametrize("findings", [(), FINDINGS[:2], (*FINDINGS[:2], FINDINGS[0])])
def test_findings_must_match_their_output(findings: tuple[FindingSpec, ...]) -> None:
    with pytest.raises(ValidationError, match="finding"):
        reader_draft(findings=findings)


def test_is_frozen() -> None:
    with pytest.raises(ValidationError):
        manifest().version = "2"  # type: ignore[misc]
