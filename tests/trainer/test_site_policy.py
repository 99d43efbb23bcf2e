"""A site policy: who leads, from which probability on, and what it gives on patients it was not chosen on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_registry.bundle import Bundle
from model_registry.policy import Leading
from model_registry.registry import Registry
from model_registry.training_record import TrainingRecord
from tests.trainer.four_outputs import policy, publish
from trainer.classes import CLASS_NAMES
from trainer.errors import RunError
from trainer.fuse import WITHOUT_AGE
from trainer.known_answers import KnownAnswers
from trainer.signals import class_row
from trainer.validation.decisions import Floats, GraphAnswers, answers, ask
from trainer.validation.figures import Labels
from trainer.validation.inputs import Inputs
from trainer.validation.site_policy import choose_site_policy

DRAWS = 200


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Registry(tmp_path).load(publish(tmp_path, decision=policy()))


def _agreeing(folder: Path, **rules: dict[str, float]) -> Bundle:
    """A bundle whose rules for readers ask for more."""
    base = policy()
    assert base.readers is not None
    strict = base.readers.model_copy(update=rules)
    return Registry(folder).load(publish(folder, decision=base.model_copy(update={"readers": strict})))


def _inputs(names: list[str], rates: Floats | None = None) -> Inputs:
    labels = Labels(
        np.stack([class_row([name]) for name in names]),
        (frozenset(),) * len(names),
        tuple(str(number) for number in range(len(names))),
    )
    return Inputs(
        name="site",
        kind="pages",
        ids=labels.patients,
        sha256=(),
        fingerprints=(),
        tensors=np.zeros((len(names), 2000, 3), np.float32),
        heart_rates_bpm=np.full(len(names), 50.0) if rates is None else rates,
        doubts=((),) * len(names),
        labels=labels,
        refused={},
    )


def _asked(pages_of_a_class: int = 60, *, skill: tuple[float, float, float] = (2.0, 2.0, 2.0)) -> GraphAnswers:
    """Readers that say the right class with as much more logit as ``skill``: fused, class network, findings network."""
    names = list(CLASS_NAMES) * pages_of_a_class
    right, rng = np.stack([class_row([name]) for name in names]), np.random.default_rng(0)
    leading: tuple[Leading, ...] = ("fused", "class_network", "findings_network")
    by_leading = {}
    for name, more in zip(leading, skill, strict=True):
        odds = np.exp(rng.normal(size=right.shape) + more * right)
        by_leading[name] = odds / odds.sum(axis=1, keepdims=True)
    by_leading["findings_network"] @= WITHOUT_AGE
    return GraphAnswers(by_leading, {}, None, _inputs(names))


def test_policy_reaches_its_accuracy_on_other_patients(bundle: Bundle) -> None:
    chosen = choose_site_policy(_asked(100), bundle, "here", 0.9, draws=DRAWS)
    assert chosen.decision.accuracy == pytest.approx(0.9, abs=0.05)
    assert 0.1 < chosen.decision.coverage < 0.9
    assert chosen.decision.target_accuracy == 0.9
    assert chosen.figures["operating_points_of"] == "site"
    assert chosen.model_sha256 == bundle.manifest.model_sha256


def test_better_reader_leads(bundle: Bundle) -> None:
    chosen = choose_site_policy(_asked(skill=(1.0, 0.0, 3.0)), bundle, "here", 0.7, draws=DRAWS)
    assert chosen.decision.leading == "findings_network"


@pytest.mark.slow
def test_leading_findings_network_has_thresholds_by_kind(tmp_path: Path) -> None:
    bundle = _agreeing(tmp_path, class_network_from=dict.fromkeys(CLASS_NAMES, 0.9))
    chosen = choose_site_policy(_asked(250, skill=(1.0, 0.0, 3.0)), bundle, "here", 0.9, draws=DRAWS).decision
    assert chosen.leading == "findings_network"
    assert isinstance(chosen.report_from, dict)
    assert chosen.report_from["history_of_mi"] == chosen.report_from["myocardial_infarction"]
    assert chosen.readers is not None
    assert chosen.readers.class_network_sign_from == {"normal": 0.2}
    assert len(chosen.operating_points) <= 101


def test_reader_of_equal_skill_does_not_lead(bundle: Bundle) -> None:
    assert choose_site_policy(_asked(), bundle, "here", 0.7, draws=DRAWS).decision.leading == "fused"


def _leading_alone() -> GraphAnswers:
    """A class network that knows every class, a findings network that half agrees, and a fused answer often wrong."""
    asked, right = _asked(), _asked().inputs.labels.classes
    sure, half = np.where(right, 0.97, 0.01), np.where(right, 0.4, 0.2)
    often_wrong = np.where(np.arange(len(right))[:, np.newaxis] % 3, half, np.roll(half, 1, axis=1))
    return replace(asked, by_leading={"fused": often_wrong, "class_network": sure, "findings_network": half})


def test_site_where_a_reader_is_right_alone_needs_no_agreement(tmp_path: Path) -> None:
    bundle = _agreeing(tmp_path, findings_network_from=dict.fromkeys(CLASS_NAMES, 0.5))
    chosen = choose_site_policy(_leading_alone(), bundle, "here", 0.95, draws=DRAWS).decision
    assert chosen.leading == "class_network"
    assert chosen.readers is not None
    assert chosen.readers.findings_network_from == dict.fromkeys(CLASS_NAMES, 0.2)
    assert chosen.readers.infarction_sign_from.keys() == {"abnormal_heartbeat", "normal"}
    assert chosen.coverage == 0.75  # all but normal: there the findings network gives infarction 0.4


def test_rules_that_miss_infarctions_are_left(bundle: Bundle) -> None:
    """Nine in ten healthy: the accuracy is kept even if every infarction is reported as normal."""
    names = ["normal"] * 540 + ["abnormal_heartbeat"] * 30 + ["history_of_mi"] * 30
    normal = np.tile([0.05, 0.05, 0.0, 0.9], (600, 1))
    inputs = _inputs(names)
    asked = GraphAnswers(dict.fromkeys(("fused", "class_network", "findings_network"), normal), {}, None, inputs)
    with pytest.raises(RunError, match="no threshold reports answers"):
        choose_site_policy(asked, bundle, "here", 0.85, draws=DRAWS)


def test_accuracy_out_of_reach_is_refused(bundle: Bundle) -> None:
    with pytest.raises(RunError, match=r"no threshold reports answers of 240 pages with the accuracy 0\.999"):
        choose_site_policy(_asked(), bundle, "here", 0.999, draws=DRAWS)


def test_too_few_pages_are_refused_with_their_numbers(bundle: Bundle) -> None:
    with pytest.raises(RunError, match=r"96 judged pages \(24 normal, 48 infarction, 24 other .*at least 100"):
        choose_site_policy(_asked(24), bundle, "here", draws=DRAWS)


def test_too_few_of_a_kind_are_refused_with_their_numbers(bundle: Bundle) -> None:
    names = ["normal"] * 100 + ["myocardial_infarction"] * 9 + ["abnormal_heartbeat"] * 10
    asked = GraphAnswers({"fused": np.full((119, 4), 0.25)}, {}, None, _inputs(names))
    with pytest.raises(RunError, match=r"100 normal, 9 infarction, 10 other abnormality; .* at least 10 pages of each"):
        choose_site_policy(asked, bundle, "here", draws=DRAWS)


def test_few_critical_pages_keep_the_points_of_the_bundle(bundle: Bundle) -> None:
    names = [name for name in list(CLASS_NAMES) * 60 if name != "myocardial_infarction"]
    asked, kept = _asked(), np.array([name != "myocardial_infarction" for name in list(CLASS_NAMES) * 60])
    asked = GraphAnswers({name: rows[kept] for name, rows in asked.by_leading.items()}, {}, None, _inputs(names))
    chosen = choose_site_policy(asked, bundle, "here", 0.7, draws=DRAWS)
    assert chosen.decision.operating_points == policy().operating_points
    assert chosen.figures["operating_points_of"] == "bundle"


def test_pages_of_the_training_are_refused(bundle: Bundle) -> None:
    asked = _asked()
    asked = replace(asked, inputs=replace(asked.inputs, sha256=("a" * 64,), fingerprints=(None,)))
    with pytest.raises(RunError, match="was trained on 1 of these pages: choose a policy on others"):
        choose_site_policy(asked, replace(bundle, trained_on=TrainingRecord(frozenset({"a" * 64}))), "here")


def test_training_pages_count_by_answers_out_of_fold(bundle: Bundle) -> None:
    asked = _asked(skill=(1.0, 1.0, 3.0))
    names = tuple(f"{row:064x}" for row in range(len(asked.inputs.labels.classes)))
    known = KnownAnswers(names, answers(replace(asked, findings=np.zeros((len(names), 3))), policy()))
    trained = replace(bundle, trained_on=TrainingRecord(frozenset(names)), out_of_fold=known.pack())
    perfect = asked.inputs.labels.classes.astype(float)
    inputs = replace(asked.inputs, sha256=names, fingerprints=(None,) * len(names))
    inflated = replace(asked, by_leading=dict.fromkeys(asked.by_leading, perfect), inputs=inputs)
    chosen = choose_site_policy(inflated, trained, "here", 0.7, draws=DRAWS)
    assert chosen.decision.coverage == choose_site_policy(asked, bundle, "here", 0.7, draws=DRAWS).decision.coverage


def test_bundle_without_policy_is_refused(tmp_path: Path) -> None:
    bundle = Registry(tmp_path).load(publish(tmp_path, plain=True))
    with pytest.raises(RunError, match="stub/1 has no measured thresholds"):
        choose_site_policy(_asked(), bundle, "here")


def test_answers_are_asked_again_only_in_the_rate_band(bundle: Bundle) -> None:
    inputs = _inputs(["normal"] * 3, np.array([55.0, 80.0, np.nan]))
    inputs.tensors[:] = 0.3  # high curves: the stub answers abnormal heartbeat
    asked = ask(bundle, inputs)
    assert np.isfinite(asked.at_reference_rate["fused"]).all(axis=1).tolist() == [False, True, False]


def test_answer_that_changes_at_the_reference_rate_is_referred() -> None:
    fast, calm = np.array([[0.8, 0.1, 0.0, 0.1]]), np.array([[0.1, 0.1, 0.0, 0.8]])
    by_leading: dict[Leading, Floats] = {"fused": fast, "class_network": fast, "findings_network": fast}
    asked = GraphAnswers(by_leading, {"fused": calm}, None, _inputs(["normal"], np.array([95.0])))
    assert answers(asked, policy()).reasons == (("rate_alone",),)
