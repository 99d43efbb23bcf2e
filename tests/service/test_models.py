"""Which models there are, which are loaded, and when."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from model_registry.bundle import Bundle
from model_registry.registry import Registry
from service.errors import BrokenModelError, ModelTooLargeError, OverloadedError
from service.models.loader import Catalog, ModelLoader
from service.models.onnx import Classifier, OnnxClassifier
from service.models.pool import Budget, DefaultModel, ModelPool
from shared_preproc.spec import MASKS_150
from tests.bundles import CLASS_NAMES, publish_tiny
from tests.factories import page_jpeg
from tests.service.serving import serving, settings_for


class Opener:
    """Opens bundles, and remembers which."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def __call__(self, bundle: Bundle) -> Classifier:
        self.opened.append(bundle.manifest.ref)
        return OnnxClassifier(bundle, wanted="cpu", threads=1)


def test_the_list(client: httpx.Client, models_dir: Path) -> None:
    listed = client.get("/models").json()
    assert [(one["name"], one["version"], one["aliases"], one["default"]) for one in listed["models"]] == [
        ("damaged", "1", [], False),  # listing opens no model; asking for this one does
        ("other", "1", [], False),
        ("tiny", "1", ["production"], True),
        ("tiny", "2", [], False),
    ]
    tiny = listed["models"][2]
    assert tiny["class_names"] == list(CLASS_NAMES)
    assert tiny["preprocessing"] == MASKS_150.fingerprint
    assert tiny["sha256"] == Registry(models_dir).load("tiny/1").manifest.model_sha256
    assert tiny["metrics"] == {"accuracy": 0.5}
    assert (tiny["reports"], tiny["has_card"]) == (False, False)
    assert listed["broken"] == []
    assert listed["default"] == {"model": "tiny/1", "pending": None, "problem": None}


def test_the_list_names_broken_models_with_their_reason(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.promote(publish_tiny(registry))
    (tmp_path / publish_tiny(registry) / "manifest.sha256").unlink()
    with serving(settings_for(tmp_path)) as client:
        listed = client.get("/models").json()
    assert [one["version"] for one in listed["models"]] == ["1"]
    assert listed["broken"] == [{"model": "tiny/2", "reason": "it has no manifest.sha256"}]


def test_requests_at_the_same_time_load_a_model_once(models_dir: Path) -> None:
    opener = Opener()

    def classify(_: int) -> str:
        version: str = client.post("/classify?model=other", content=page_jpeg()).json()["model"]["name"]
        return version

    with serving(settings_for(models_dir), opener) as client, ThreadPoolExecutor(8) as threads:
        assert set(threads.map(classify, range(8))) == {"other"}
    assert opener.opened == ["tiny/1", "other/1"]


def in_pool(
    models_dir: Path, opener: Callable[[Bundle], Classifier], use: Any, *, models: int = 1, model_bytes: int = 2**20
) -> None:
    async def run() -> None:
        catalog = Catalog(Registry(models_dir))
        loader = ModelLoader(catalog, opener)
        default = DefaultModel(catalog, loader, "production")
        following = asyncio.create_task(default.follow())
        while default.state.model is None:  # noqa: ASYNC110 - nothing tells it but looking
            await asyncio.sleep(0.01)
        await use(ModelPool(catalog, loader, default, Budget(models, model_bytes)))
        following.cancel()
        loader.close()

    asyncio.run(run())


def test_the_models_used_last_stay_and_the_default_always(models_dir: Path) -> None:
    opener = Opener()

    async def use(pool: ModelPool) -> None:
        for reference in ("other", "tiny/2", "other", "tiny/1", "production", "tiny", "damaged"):
            await swallow_broken(pool.get(reference))
        assert (await pool.get(None)).manifest.ref == "tiny/1"

    in_pool(models_dir, opener, use, models=2)
    assert opener.opened == ["tiny/1", "other/1", "tiny/2"]
    opener = Opener()
    in_pool(models_dir, opener, use, models=1)
    assert opener.opened == ["tiny/1", "other/1", "tiny/2", "other/1", "tiny/2"]


def test_the_models_beside_the_default_stay_within_their_bytes(models_dir: Path) -> None:
    opener = Opener()
    one_bytes = Registry(models_dir).model_bytes("other/1")

    async def use(pool: ModelPool) -> None:
        for reference in ("other", "tiny/2", "other"):
            await pool.get(reference)

    in_pool(models_dir, opener, use, models=9, model_bytes=2 * one_bytes)
    assert opener.opened == ["tiny/1", "other/1", "tiny/2"]
    opener = Opener()
    in_pool(models_dir, opener, use, models=9, model_bytes=2 * one_bytes - 1)
    assert opener.opened == ["tiny/1", "other/1", "tiny/2", "other/1"]


def test_a_model_beyond_all_bytes_is_refused_before_it_is_read(models_dir: Path) -> None:
    opener = Opener()

    async def use(pool: ModelPool) -> None:
        with pytest.raises(ModelTooLargeError, match="other/1: a model of"):
            await pool.get("other")

    in_pool(models_dir, opener, use, model_bytes=10)
    assert opener.opened == ["tiny/1"]


async def swallow_broken(load: Coroutine[Any, Any, object]) -> None:
    try:
        await load
    except BrokenModelError:
        return


def test_a_client_that_goes_away_leaves_the_load_to_the_others(models_dir: Path) -> None:
    gate = Event()
    opener = Opener()

    def open_behind_gate(bundle: Bundle) -> Classifier:
        if bundle.manifest.name == "other":
            assert gate.wait(10)
        return opener(bundle)

    async def use(pool: ModelPool) -> None:
        impatient = asyncio.create_task(pool.get("other"))
        patient = asyncio.create_task(pool.get("other"))
        await asyncio.sleep(0.05)
        impatient.cancel()
        gate.set()
        assert (await patient).manifest.ref == "other/1"
        assert impatient.cancelled()

    in_pool(models_dir, open_behind_gate, use)
    assert opener.opened == ["tiny/1", "other/1"]


@pytest.mark.parametrize(("models", "room_for"), [(2, 9), (9, 2)])
def test_disconnects_leave_no_surplus_model_loads(tmp_path: Path, models: int, room_for: int) -> None:
    registry = Registry(tmp_path)
    registry.promote(publish_tiny(registry))
    others = [publish_tiny(registry, name=name) for name in ("a", "b", "c")]
    gate = Event()
    opener = Opener()

    def open_behind_gate(bundle: Bundle) -> Classifier:
        assert bundle.manifest.name == "tiny" or gate.wait(10)
        return opener(bundle)

    async def use(pool: ModelPool) -> None:
        for number in range(30):
            ref = others[number % 3]
            request = asyncio.create_task(pool.get(ref))
            if ref == "c/1":
                with pytest.raises(OverloadedError, match="2 other models that are being loaded") as refusal:
                    await request
                assert refusal.value.retry_after_s == 5
            while ref not in pool._others and ref != "c/1":  # noqa: ASYNC110 - nothing tells it but looking
                await asyncio.sleep(0.01)
            request.cancel()
        gate.set()
        assert (await pool._loader.load("tiny/1")).manifest.ref == "tiny/1", "what a promotion waits for"
        assert opener.opened == ["tiny/1", "a/1", "b/1", "tiny/1"]
        assert (await pool.get("c")).manifest.ref == "c/1"

    model_bytes = max(map(registry.model_bytes, others))
    in_pool(tmp_path, open_behind_gate, use, models=models, model_bytes=room_for * model_bytes)


def test_a_load_that_failed_is_tried_again(models_dir: Path) -> None:
    failures = [BrokenModelError(found="a hiccup", expected="none", remedy="Try again.")]
    opener = Opener()

    def open_at_the_second_try(bundle: Bundle) -> Classifier:
        if bundle.manifest.name == "other" and failures:
            raise failures.pop()
        return opener(bundle)

    async def use(pool: ModelPool) -> None:
        with pytest.raises(BrokenModelError, match="a hiccup"):
            await pool.get("other")
        assert (await pool.get("other")).manifest.ref == "other/1"

    in_pool(models_dir, open_at_the_second_try, use)


def test_unsupported_preprocessing_is_refused(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    ref = publish_tiny(registry, preprocessing=replace(MASKS_150, revision=MASKS_150.revision + 1))
    with pytest.raises(BrokenModelError, match="revision"):
        Catalog(registry).load(ref)
