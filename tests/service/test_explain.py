"""Explanations: exact on classifiers whose dependence is known, and true to the bundles that are shipped."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.explanation import judge
from model_registry.registry import Registry
from service.explain import RATE_HZ, LeadEvidence, curve_lengths, explain, wiped
from service.models.loader import Catalog
from service.models.onnx import OnnxClassifier, Probabilities
from shared_preproc.leads import Lead
from shared_preproc.pipeline import preprocess
from shared_preproc.spec import MASKS_150, TRACES_50_HZ, PreprocSpec
from shared_preproc.tensor import Tensor
from tests.bundles import shipped
from tests.conftest import REPOSITORY
from tests.factories import page_jpeg

LEADS = TRACES_50_HZ.layout.leads
WATCHED, OTHER = 1, 2  # places of two classes
RHYTHM_START = 12 * 125


class Formula:
    """A classifier whose log-odds of `WATCHED`, up to a constant, are a formula of the page."""

    provider = "cpu"
    failure = None

    def __init__(self, log_odds: Callable[[Tensor], float]) -> None:
        self.log_odds = log_odds
        self.batches: list[int] = []

    def run(self, tensor: Tensor) -> Probabilities:
        self.batches.append(len(tensor))
        odds = np.exp([self.log_odds(page) for page in tensor])
        pages = np.full((len(tensor), 4), 1 / 3)
        pages[:, WATCHED] = odds
        pages = (pages / pages.sum(axis=1, keepdims=True)).astype(np.float32)
        return Probabilities(leads=np.repeat(pages[:, np.newaxis], 13, axis=1), pages=pages)


def samples(lead: Lead, cells: slice) -> slice:
    """Where cells of a lead's curve lie in `TRACES_50_HZ`'s tensor; 12.5 samples a cell, rounded to even."""
    start = 125 * LEADS.index(lead)
    return slice(start + round(cells.start * 12.5), start + round(cells.stop * 12.5))


def page_with(*bumps: slice) -> NDArray[np.float32]:
    """A page of flat curves, but 1 mV high in these samples."""
    page = np.zeros(TRACES_50_HZ.tensor_shape, np.float32)
    for bump in bumps:
        page[bump] = 1
    return page


def height(page: Tensor, span: slice) -> float:
    return float(page[span, 0].mean())


def curves(evidence: dict[Lead, LeadEvidence]) -> dict[Lead, NDArray[np.float64]]:
    return {lead: np.array(found.curve) for lead, found in evidence.items()}


@pytest.mark.parametrize(
    ("lead", "cell"),
    [(Lead.I, 0), (Lead.V2, 4), (Lead.V6, 9), (Lead.RHYTHM_STRIP, 0), (Lead.RHYTHM_STRIP, 21), (Lead.RHYTHM_STRIP, 39)],
)
def test_the_one_span_that_matters_is_found(lead: Lead, cell: int) -> None:
    span = samples(lead, slice(cell, cell + 1))
    evidence = explain(page_with(span), TRACES_50_HZ, Formula(lambda page: 2 * height(page, span)), WATCHED)
    assert {name: found.weight for name, found in evidence.items()} == {name: float(name is lead) for name in LEADS}
    for name, curve in curves(evidence).items():
        expected = np.zeros(len(curve))
        if name is lead:
            expected[cell] = 1
        np.testing.assert_allclose(curve, expected, atol=1e-6)


def test_the_ink_that_matters_is_found_in_masks() -> None:
    page = np.zeros(MASKS_150.tensor_shape, np.uint8)
    place = LEADS.index(Lead.V2)
    page[place, 70:80, 50:58] = 255  # columns of the cell from 0.75 to 1 s
    ink = Formula(lambda masks: float(masks[place].mean()))
    evidence = explain(page, MASKS_150, ink, WATCHED)
    assert {name: found.weight for name, found in evidence.items()} == {name: float(name is Lead.V2) for name in LEADS}
    expected = {name: np.zeros(length) for name, length in curve_lengths(MASKS_150).items()}
    expected[Lead.V2][3:6] = 1  # the window of three cells that holds it
    for name, curve in curves(evidence).items():
        np.testing.assert_allclose(curve, expected[name], atol=1e-6)


def test_weights_and_curves_are_in_proportion_to_what_is_lost() -> None:
    first, second = samples(Lead.AVR, slice(2, 3)), samples(Lead.RHYTHM_STRIP, slice(30, 31))
    formula = Formula(lambda page: 3 * height(page, first) + height(page, second))
    evidence = explain(page_with(first, second), TRACES_50_HZ, formula, WATCHED)
    assert evidence[Lead.AVR].weight == pytest.approx(0.75, abs=1e-5)
    assert evidence[Lead.RHYTHM_STRIP].weight == pytest.approx(0.25, abs=1e-5)
    assert evidence[Lead.AVR].curve[2] == 1
    assert evidence[Lead.RHYTHM_STRIP].curve[30] == pytest.approx(1 / 3, abs=1e-5)


def test_what_speaks_against_the_class_is_no_evidence_for_it() -> None:
    first, second = samples(Lead.III, slice(5, 6)), samples(Lead.V4, slice(7, 8))
    formula = Formula(lambda page: height(page, first) - 2 * height(page, second))
    evidence = explain(page_with(first, second), TRACES_50_HZ, formula, WATCHED)
    assert (evidence[Lead.III].weight, evidence[Lead.V4].weight) == (1, 0)
    assert not any(evidence[Lead.V4].curve)
    against = explain(page_with(first, second), TRACES_50_HZ, formula, OTHER)
    assert (against[Lead.III].weight, against[Lead.V4].weight) == (0, 1)


@pytest.mark.parametrize("log_odds", [0.0, 40.0, -40.0])
@pytest.mark.parametrize("spec", [MASKS_150, TRACES_50_HZ])
def test_where_nothing_matters_leads_weigh_the_same(spec: PreprocSpec, log_odds: float) -> None:
    page = np.ones(spec.tensor_shape, spec.tensor_dtype)
    evidence = explain(page, spec, Formula(lambda _: log_odds), WATCHED)
    assert {found.weight for found in evidence.values()} == {1 / 13}
    assert not np.concatenate(list(curves(evidence).values())).any()


def test_rounding_is_no_evidence() -> None:
    noise = np.random.default_rng(0)
    formula = Formula(lambda _: noise.normal(0, 1e-5))
    evidence = explain(page_with(), TRACES_50_HZ, formula, WATCHED)
    assert {found.weight for found in evidence.values()} == {1 / 13}


@pytest.mark.parametrize("seed", range(3))
def test_what_every_explanation_keeps_to(seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = rng.normal(0, 1, TRACES_50_HZ.tensor_shape).astype(np.float32)
    sent, influence = page.copy(), rng.normal(0, 0.1, page.shape)
    evidence = explain(page, TRACES_50_HZ, Formula(lambda page: float((page * influence).sum())), WATCHED)
    np.testing.assert_array_equal(page, sent)
    assert tuple(evidence) == LEADS, "page order"
    assert sum(found.weight for found in evidence.values()) == pytest.approx(1, abs=1e-12)
    assert {found.rate_hz for found in evidence.values()} == {RATE_HZ}
    values = np.concatenate(list(curves(evidence).values()))
    assert (values.min(), values.max()) == (0, 1)


@pytest.mark.parametrize("spec", [MASKS_150, TRACES_50_HZ])
def test_a_curve_is_as_long_as_its_lead(spec: PreprocSpec) -> None:
    lasts_s = {lead: length / RATE_HZ for lead, length in curve_lengths(spec).items()}
    assert lasts_s == {lead: 10.0 if lead is Lead.RHYTHM_STRIP else 2.5 for lead in LEADS}


@pytest.mark.parametrize(("spec", "most_pages", "most_at_once"), [(MASKS_150, 80, 2), (TRACES_50_HZ, 200, 32)])
def test_cost_and_memory_are_bounded(spec: PreprocSpec, most_pages: int, most_at_once: int) -> None:
    formula = Formula(lambda _: 0.0)
    explain(np.zeros(spec.tensor_shape, spec.tensor_dtype), spec, formula, WATCHED)
    assert sum(formula.batches) <= most_pages
    assert max(formula.batches) <= most_at_once


def marks(**cells: slice) -> dict[Lead, NDArray[np.bool_]]:
    marked = {lead: np.zeros(length, np.bool_) for lead, length in curve_lengths(TRACES_50_HZ).items()}
    for lead, span in cells.items():
        marked[Lead[lead]][span] = True
    return marked


def test_a_wiped_curve_has_no_step() -> None:
    page = np.random.default_rng(0).normal(0, 1, TRACES_50_HZ.tensor_shape).astype(np.float32)
    empty = wiped(
        page, TRACES_50_HZ, marks(I=slice(0, 2), V5=slice(3, 5), RHYTHM_STRIP=slice(36, 40), AVL=slice(0, 10))
    )
    start, inside = samples(Lead.I, slice(0, 2)), samples(Lead.V5, slice(3, 5))
    end, whole = slice(RHYTHM_START + 450, RHYTHM_START + 500), samples(Lead.AVL, slice(0, 10))
    np.testing.assert_array_equal(empty[start], np.broadcast_to(page[start.stop], (25, 3)))
    np.testing.assert_array_equal(empty[end], np.broadcast_to(page[end.start - 1], (50, 3)))
    np.testing.assert_array_equal(empty[whole], np.broadcast_to(np.median(page[whole], axis=0), (125, 3)))
    bridge = empty[inside.start - 1 : inside.stop + 1]
    np.testing.assert_allclose(np.diff(bridge, n=2, axis=0), 0, atol=1e-5)
    np.testing.assert_array_equal(bridge[[0, -1]], page[[inside.start - 1, inside.stop]])
    touched = np.zeros(len(page), np.bool_)
    for span in (start, inside, end, whole):
        touched[span] = True
    np.testing.assert_array_equal(empty[~touched], page[~touched])


@pytest.mark.parametrize("reference", shipped())
def test_wiping_what_is_marked_moves_a_shipped_model_more(reference: str) -> None:
    bundle = Catalog(Registry(REPOSITORY / "models")).load(reference)
    spec, classifier = bundle.manifest.preprocessing, OnnxClassifier(bundle, wanted="cpu", threads=1)
    rng, losses = np.random.default_rng(0), []
    for class_name in ("normal", "abnormal_heartbeat"):
        loss, _ = judge(preprocess(page_jpeg(class_name, 0), spec), spec, classifier, rng)
        losses.append(loss)
    mean = {what: np.mean([loss[what] for loss in losses]) for what in losses[0]}
    assert mean["highest tenth"] > mean["a tenth at random"]
    assert mean["highest tenth"] > mean["lowest tenth"]
    assert mean["three weightiest leads"] > mean["three leads at random"]
    assert mean["three weightiest leads"] > mean["three lightest leads"]
