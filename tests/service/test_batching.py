"""Runs that are shared: everyone gets their own rows, nobody waits longer than agreed, an error reaches all."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from threading import Barrier, Lock

import httpx
import numpy as np
import pytest

from benchmarks.measuring import synthetic_pages
from model_registry.bundle import Bundle
from model_registry.golden import golden_tensor
from model_registry.registry import Registry
from service.errors import BrokenModelError
from service.explain import explain
from service.models.batching import Batching, BatchingClassifier, batching_opener
from service.models.onnx import Classifier, OnnxClassifier, Probabilities
from shared_preproc.tensor import Tensor
from tests.bundles import Said, publish_readers, publish_tiny
from tests.conftest import REPOSITORY
from tests.service.classifiers import FailingClassifier, GatedClassifier
from tests.service.process import environment, running
from tests.service.scrape import Scrape

MODELS = REPOSITORY / "models"
LONG_S = 20.0
"""Longer than any test waits: a batch that goes before is complete."""


class Recorder:
    """A real classifier, and the sizes of its runs."""

    failure = None

    def __init__(self, classifier: Classifier, provider: str = "cpu") -> None:
        self._classifier = classifier
        self._lock = Lock()
        self.provider = provider
        self.sizes: list[int] = []

    def run(self, tensor: Tensor) -> Probabilities:
        with self._lock:
            self.sizes.append(len(tensor))
        return self._classifier.run(tensor)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    registry = Registry(tmp_path_factory.mktemp("models"))
    return registry.load(publish_tiny(registry))


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    registry = Registry(tmp_path_factory.mktemp("models"))
    return registry.load(publish_readers(registry, said=Said(), resampled=Said.unanimous(0.7, 0.1, 0.1, 0.1)))


@pytest.fixture(scope="module")
def fusion() -> Bundle:
    return Registry(MODELS).load("fusion/5")


def opened(bundle: Bundle) -> Recorder:
    return Recorder(OnnxClassifier(bundle, wanted="cpu", threads=1))


def shared(classifier: Classifier, most_pages: int, wait_s: float = LONG_S) -> tuple[BatchingClassifier, list[int]]:
    """A classifier whose runs are shared, and what it counts."""
    counted: list[int] = []
    return BatchingClassifier(classifier, most_pages=most_pages, wait_s=wait_s, count_run=counted.append), counted


def together(calls: Sequence[Callable[[], Probabilities]]) -> list[Probabilities]:
    """Call all of them at once, each in a thread."""
    start = Barrier(len(calls))

    def call(function: Callable[[], Probabilities]) -> Probabilities:
        start.wait(10)
        return function()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(call, calls))


def check_same(found: Probabilities, expected: Probabilities) -> None:
    """The same answer, whatever batch it rode in."""
    for one, other in ((found.leads, expected.leads), (found.pages, expected.pages)):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
        np.testing.assert_allclose(one.sum(axis=-1), 1, atol=1e-6)
    for name in ("readers", "findings"):
        part, expected_part = getattr(found, name), getattr(expected, name)
        assert (part is None) is (expected_part is None)
        if part is not None:
            np.testing.assert_allclose(part, expected_part, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["tiny", "fusion"])
def test_a_page_is_answered_alike_in_every_batch(name: str, request: pytest.FixtureRequest) -> None:
    bundle: Bundle = request.getfixturevalue(name)
    model = opened(bundle)
    pages = golden_tensor(bundle.manifest.preprocessing, seed=1, pages=16)
    alone = [model.run(page[np.newaxis]) for page in pages]
    for size in (2, 3, 8, 16):
        answer = model.run(pages[-size:])
        for row, expected in enumerate(alone[-size:]):
            check_same(answer.rows(slice(row, row + 1)), expected)


def test_shared_runs_keep_readers_and_findings_apart(readers: Bundle) -> None:
    model = opened(readers)
    sharing, _ = shared(model, most_pages=2)
    pages = golden_tensor(readers.manifest.preprocessing, seed=1, pages=2).astype(np.float32)
    pages[1, -1] = np.nan  # the stub answers curves that end early otherwise
    parts = [pages[:1], pages[1:]]
    answers = together([partial(sharing.run, part) for part in parts])
    assert model.sizes == [2]
    for answer, part in zip(answers, parts, strict=True):
        check_same(answer, model.run(part))
    assert np.abs(answers[0].pages - answers[1].pages).max() > 0.1


def test_full_batch_runs_at_once_and_each_gets_its_rows(tiny: Bundle) -> None:
    model = opened(tiny)
    sharing, counted = shared(model, most_pages=6)
    pages = golden_tensor(tiny.manifest.preprocessing, seed=2, pages=6)
    parts = [pages[:1], pages[1:3], pages[3:6]]
    expected = [model.run(part) for part in parts]
    model.sizes.clear()
    answers = together([partial(sharing.run, part) for part in parts])
    for answer, one in zip(answers, expected, strict=True):
        check_same(answer, one)
    assert (model.sizes, counted) == ([6], [6])


def test_who_is_alone_waits_no_longer_than_agreed(tiny: Bundle) -> None:
    sharing, counted = shared(opened(tiny), most_pages=4, wait_s=0.05)
    page = golden_tensor(tiny.manifest.preprocessing, seed=3, pages=1)
    started_s = time.perf_counter()
    sharing.run(page)
    assert 0.05 <= time.perf_counter() - started_s < 5
    assert counted == [1]


def test_what_fills_a_batch_alone_waits_for_nobody(tiny: Bundle) -> None:
    sharing, counted = shared(opened(tiny), most_pages=4)
    pages = golden_tensor(tiny.manifest.preprocessing, seed=3, pages=5)
    started_s = time.perf_counter()
    sharing.run(pages[:4])
    sharing.run(pages)
    assert time.perf_counter() - started_s < LONG_S / 2
    assert counted == [4, 5]


def test_what_does_not_fit_sends_those_off_that_wait(tiny: Bundle) -> None:
    sharing, counted = shared(opened(tiny), most_pages=4, wait_s=1.0)
    pages = golden_tensor(tiny.manifest.preprocessing, seed=4, pages=3)
    started_s = time.perf_counter()
    together([partial(sharing.run, pages)] * 2)
    assert time.perf_counter() - started_s < 1.9  # only the second of them waits
    assert counted == [3, 3]


def test_a_batch_that_runs_holds_up_nobody_who_comes_later(tiny: Bundle) -> None:
    gated = GatedClassifier()
    sharing, counted = shared(gated, most_pages=2)
    page = golden_tensor(tiny.manifest.preprocessing, seed=5, pages=1)
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(sharing.run, page) for _ in range(2)]
        assert gated.entered.wait(10)
        gated.entered.clear()
        calls += [threads.submit(sharing.run, page) for _ in range(2)]
        assert gated.entered.wait(10)
        gated.gate.set()
        done, _ = wait(calls, 10)
    assert len(done) == 4
    assert counted == [2, 2]


def test_an_error_of_the_run_reaches_everyone_and_ends_with_it(tiny: Bundle) -> None:
    sharing, _ = shared(FailingClassifier(), most_pages=3)
    page = golden_tensor(tiny.manifest.preprocessing, seed=6, pages=1)
    with ThreadPoolExecutor(3) as threads:
        for _ in range(2):
            calls = [threads.submit(sharing.run, page) for _ in range(3)]
            assert {str(call.exception(10)) for call in calls} == {"/srv/secret/Jane Doe.jpg"}


def test_many_threads_never_get_the_rows_of_others(tiny: Bundle) -> None:
    model = opened(tiny)
    sharing, counted = shared(model, most_pages=5, wait_s=0.001)
    pages = golden_tensor(tiny.manifest.preprocessing, seed=7, pages=12)
    parts = [pages[first : first + 1 + first % 3] for first in range(10)]
    expected = [model.run(part) for part in parts]
    model.sizes.clear()

    def repeat(thread: int) -> None:
        for number in range(40):
            place = (thread * 7 + number) % len(parts)
            check_same(sharing.run(parts[place]), expected[place])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(repeat, range(8)))
    sent = sum(len(parts[(thread * 7 + number) % len(parts)]) for thread in range(8) for number in range(40))
    assert sum(model.sizes) == sent
    assert sorted(model.sizes) == sorted(counted)
    assert max(counted) <= 5
    assert len(counted) < 320


def test_an_explanation_is_the_same_in_batches_of_its_own(fusion: Bundle) -> None:
    model = opened(fusion)
    sharing, counted = shared(model, most_pages=8, wait_s=0.0)
    page = golden_tensor(fusion.manifest.preprocessing, seed=8, pages=1)[0]
    assert explain(page, fusion.manifest.preprocessing, sharing, 0) == explain(
        page, fusion.manifest.preprocessing, model, 0
    )
    assert counted[0] == 32


@pytest.mark.parametrize(
    ("pages", "callers", "provider", "expected"),
    [
        (None, 16, "cpu", 1),
        (None, 16, "cuda", 8),
        (None, 3, "cuda", 3),
        (4, 16, "cpu", 4),
        (4, 2, "cpu", 2),
        (1, 16, "cuda", 1),
        (32, 64, "cuda", 32),
    ],
)
def test_how_many_pages_share_a_run(pages: int | None, callers: int, provider: str, expected: int) -> None:
    assert Batching(pages, wait_s=0.0, callers=callers).most_pages(provider) == expected


@pytest.mark.parametrize(("provider", "warmed"), [("cpu", [4]), ("cuda", [4, 3, 2])])
def test_batches_are_warmed_up(tiny: Bundle, provider: str, warmed: list[int]) -> None:
    model = Recorder(OnnxClassifier(tiny, wanted="cpu", threads=1), provider)
    sharing = batching_opener(lambda _: model, Batching(4, callers=4), lambda _: None)(tiny)
    assert isinstance(sharing, BatchingClassifier)
    assert (model.sizes, sharing.provider) == (warmed, provider)


def test_without_batches_the_model_is_what_it_was(tiny: Bundle) -> None:
    model = opened(tiny)
    assert batching_opener(lambda _: model, Batching(None, callers=4), lambda _: None)(tiny) is model
    assert model.sizes == []


def test_a_graph_that_cannot_run_on_so_many_is_refused(tiny: Bundle) -> None:
    opener = batching_opener(lambda _: FailingClassifier(), Batching(4, callers=4), lambda _: None)
    with pytest.raises(BrokenModelError, match=r"tiny/1: it does not run on 4 pages.*ECG_BATCH_PAGES"):
        opener(tiny)


def test_a_service_with_batches_answers_as_one_without() -> None:
    pages = synthetic_pages(8)
    with running(environment(MODELS, ECG_WORKERS="4")) as alone:
        expected = [asked(alone.client, page) for page in pages]
        assert Scrape(alone.client).value("ecg_batch_pages_count") == 0
    with running(environment(MODELS, ECG_WORKERS="4", ECG_BATCH_PAGES="4")) as process:
        before = Scrape(process.client)
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda page: asked(process.client, page), pages * 4))
        after = Scrape(process.client)
    for answer, one in zip(answers, expected * 4, strict=True):
        assert answer == pytest.approx(one, rel=0, abs=1e-6)

    def during(sample: str, **labels: str) -> float:
        return after.value(f"ecg_batch_pages_{sample}", **labels) - before.value(f"ecg_batch_pages_{sample}", **labels)

    assert during("sum") >= 32  # an answer that may rest on the heart rate takes a second run
    assert during("count") - during("bucket", le="1.0") > 0
    assert during("bucket", le="4.0") == during("count")


def asked(client: httpx.Client, page: bytes) -> dict[str, float]:
    """The probabilities of a page and of its leads, by name."""
    response = client.post("/classify", content=page)
    assert response.is_success, response.text
    body = response.json()
    found = {f"page {name}": value for name, value in body["probabilities"].items()}
    for lead in body["leads"]:
        found |= {f"{lead['lead']} {name}": value for name, value in lead["probabilities"].items()}
    return found
