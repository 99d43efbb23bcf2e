"""Bundles at run time: what is promoted takes over between two requests, what is bad leaves the old one serving."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_registry.golden import GOLDEN_FILE, Golden, record_golden
from model_registry.manifest import MANIFEST_FILE, MANIFEST_SEAL, MODEL_FILE
from model_registry.registry import Registry
from service.models.onnx import OnnxClassifier
from shared_preproc.spec import MASKS_150
from tests.bundles import draft, publish_tiny, rewrite_manifest, tiny_model
from tests.factories import page_jpeg
from tests.service.process import environment, running
from tests.service.scrape import Scrape
from tests.service.senders import sending
from tests.service.serving import serving, settings_for, wait_until

pytestmark = pytest.mark.slow

PROMOTIONS = 50
POLL_S = 0.5


def publish_golden(registry: Registry, *, sharpness: float, recorded_sharpness: float | None = None) -> str:
    """Publish a model with the answer that it, or another one, gives."""
    scratch = Registry(registry._path.parent / "recording")
    recorded = tiny_model(sharpness=sharpness if recorded_sharpness is None else recorded_sharpness)
    bundle = scratch.load(scratch.publish(draft(), {MODEL_FILE: recorded}))
    classifier = OnnxClassifier(bundle, wanted="cpu", threads=1)
    golden = record_golden(MASKS_150, lambda tensor: classifier.run(tensor).pages)
    return publish_tiny(registry, files={MODEL_FILE: tiny_model(sharpness=sharpness), GOLDEN_FILE: golden})


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """tiny/1, which is `production`, and tiny/2, whose answers differ; both with what they answer."""
    registry = Registry(tmp_path / "models")
    registry.promote(publish_golden(registry, sharpness=8.0))
    publish_golden(registry, sharpness=4.0)
    return registry


def point_at(registry: Registry, ref: str) -> None:
    """Promote what `promote` would refuse, as someone who edits the file."""
    (registry._path / "aliases.json").write_text(json.dumps({"production": ref}))


def classify(client: httpx.Client) -> dict[str, Any]:
    response = client.post("/classify", content=page_jpeg())
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def serves(client: httpx.Client, ref: str) -> Callable[[], bool]:
    return lambda: client.get("/health").json()["model"] == ref


def answers_of(client: httpx.Client) -> dict[str, dict[str, float]]:
    """What each version says about the page, asked for by name."""
    return {
        version: client.post(f"/classify?model=tiny/{version}", content=page_jpeg()).json()["probabilities"]
        for version in ("1", "2")
    }


def following(registry: Registry) -> dict[str, str]:
    """The environment of a service that follows the registry."""
    return environment(registry._path)


def versions(answers: list[httpx.Response]) -> set[str]:
    """Which versions answered, once it is sure that each request was answered, and by one version alone."""
    assert {answer.status_code for answer in answers} == {200}
    return {answer.json()["model"]["version"] for answer in answers}


def test_promotion_under_load_fails_and_mixes_no_answer(registry: Registry) -> None:
    with running(following(registry)) as process:
        client = process.client
        expected = answers_of(client)
        assert expected["1"] != expected["2"]
        with sending(process.url) as answers:
            for turn in range(PROMOTIONS):
                if turn % 2:
                    assert registry.roll_back() == "tiny/1"
                else:
                    registry.promote("tiny/2")
                wait_until(serves(client, f"tiny/{2 - turn % 2}"))
        assert classify(client)["model"]["version"] == "1"
    assert versions(answers) == {"1", "2"}
    for answer in map(httpx.Response.json, answers):
        assert answer["probabilities"] == expected[answer["model"]["version"]]


def half_copied(folder: Path) -> None:
    (folder / MODEL_FILE).write_bytes((folder / MODEL_FILE).read_bytes()[:100])


def without_manifest(folder: Path) -> None:
    (folder / MANIFEST_FILE).unlink()


def without_seal(folder: Path) -> None:
    (folder / MANIFEST_SEAL).unlink()


def with_another_answer(folder: Path) -> None:
    """As if the graph computed otherwise here: seals are right, nothing but running it shows it."""
    golden = Golden.model_validate_json((folder / GOLDEN_FILE).read_bytes())
    first, second, *others = golden.page_probabilities[0]
    moved = ((first - 0.001, second + 0.001, *others), *golden.page_probabilities[1:])
    content = golden.model_copy(update={"page_probabilities": moved}).model_dump_json().encode()
    (folder / GOLDEN_FILE).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    rewrite_manifest(folder, lambda manifest: manifest["files"].update({GOLDEN_FILE: sha256}))


def with_numbers_that_fit_no_page(folder: Path) -> None:
    spec = replace(MASKS_150, gaussian_sigma_px=99.0, gaussian_radius_px=128)
    numbers = {"preprocessing": asdict(spec), "preprocessing_fingerprint": spec.fingerprint}
    rewrite_manifest(folder, lambda manifest: manifest.update(numbers))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (half_copied, "model.onnx has the SHA-256"),
        (without_manifest, "it has no manifest.json"),
        (without_seal, "manifest.sha256 cannot be read"),
        (with_another_answer, "its answer differs by 1.0e-03 from the recorded one"),
        (with_numbers_that_fit_no_page, "no page can be read: smoothing with a sigma of 99.0 px"),
        (shutil.rmtree, "which is gone"),
    ],
)
def test_a_bad_bundle_leaves_the_old_one_serving_and_is_told(
    registry: Registry, spoil: Callable[[Path], None], reason: str
) -> None:
    with running(following(registry)) as process:
        client = process.client
        spoil(registry._path / "tiny" / "2")
        with sending(process.url) as answers:
            point_at(registry, "tiny/2")
            wait_until(lambda: reason in (client.get("/health").json()["problem"] or ""))
            assert Scrape(client).value("ecg_bundle_problem") == 1
            seen = len(answers)
            wait_until(lambda: len(answers) > seen + 10)  # after it was refused as well
        assert versions(answers) == {"1"}
        health = client.get("/health")
        assert (health.status_code, health.json()["model"]) == (200, "tiny/1")
        assert health.json()["pending"] == (None if spoil is shutil.rmtree or spoil is without_seal else "tiny/2")
        listed = client.get("/models").json()["default"]
        assert listed == {key: health.json()[key] for key in ("model", "pending", "problem")}
        assert str(registry._path) not in health.text
        point_at(registry, "tiny/1")
        wait_until(lambda: client.get("/health").json()["problem"] is None)
        assert client.get("/health").json()["pending"] is None


def test_bundle_copied_in_pieces_serves_once_whole(registry: Registry) -> None:
    """As a copying program does it, not `publish`: files that grow, in any order, in a folder that is promoted."""
    whole, folder = registry._path.parent / "whole", registry._path / "tiny" / "2"
    shutil.move(folder, whole)
    with running(following(registry)) as process:
        with sending(process.url) as answers:
            point_at(registry, "tiny/2")
            folder.mkdir()
            for file in sorted(whole.iterdir(), key=lambda file: file.name != MANIFEST_SEAL):  # the worst order
                content = file.read_bytes()
                for end in range(0, len(content), len(content) // 4 + 1):
                    (folder / file.name).write_bytes(content[:end])
                    time.sleep(3 * POLL_S)
                assert process.client.get("/health").json()["model"] == "tiny/1"
                (folder / file.name).write_bytes(content)
            wait_until(serves(process.client, "tiny/2"))
            seen = len(answers)
            wait_until(lambda: len(answers) > seen + 10)
        assert versions(answers) == {"1", "2"}
        assert process.client.get("/health").json()["problem"] is None


def test_what_was_repaired_is_tried_again(registry: Registry) -> None:
    seal = registry._path / "tiny" / "2" / MANIFEST_SEAL
    content = seal.read_bytes()
    with serving(settings_for(registry._path)) as client:
        seal.write_bytes(b"0" * 64)
        point_at(registry, "tiny/2")
        wait_until(lambda: bool(client.get("/health").json()["problem"]))
        seal.write_bytes(content)
        wait_until(serves(client, "tiny/2"))
        assert client.get("/health").json()["problem"] is None


def test_damaged_aliases_leave_the_old_one_serving(registry: Registry) -> None:
    with serving(settings_for(registry._path)) as client:
        (registry._path / "aliases.json").write_text("{")
        wait_until(lambda: "aliases.json is damaged" in (client.get("/health").json()["problem"] or ""))
        assert classify(client)["model"]["version"] == "1"


def test_a_name_means_its_newest_version(registry: Registry) -> None:
    with serving(settings_for(registry._path, default_model="tiny")) as client:
        assert classify(client)["model"]["version"] == "2"
        publish_golden(registry, sharpness=2.0)
        wait_until(serves(client, "tiny/3"))
        assert classify(client)["model"]["version"] == "3"


def test_model_failing_its_golden_answers_is_refused_by_name(registry: Registry) -> None:
    ref = publish_golden(registry, sharpness=4.0, recorded_sharpness=8.0)
    with serving(settings_for(registry._path)) as client:
        refused = client.post(f"/classify?model={ref}", content=page_jpeg())
        assert (refused.status_code, refused.json()["code"]) == (503, "broken_model")
        assert "from the recorded one" in refused.json()["found"]
