"""A bundle without fingerprints is published anew with them, and is otherwise the same."""

import shutil
from pathlib import Path

import pytest

from model_registry.manifest import FINGERPRINTS_FILE, TRAINING_PAGES_FILE
from model_registry.registry import Registry
from tests.bundles import publish_tiny
from trainer.__main__ import main
from trainer.dataset import LabelledPage, read_data
from trainer.errors import RunError
from trainer.republish import with_fingerprints


@pytest.fixture(scope="module")
def pages(few_pages: Path, tmp_path_factory: pytest.TempPathFactory) -> list[LabelledPage]:
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(few_pages / "MI", folder / "MI")
    return read_data(folder, every_class=False).pages


def publish(registry: Registry, pages: list[LabelledPage]) -> str:
    files = {
        TRAINING_PAGES_FILE: "".join(sorted(f"{page.sha256}\n" for page in pages)).encode(),
        "card.md": b"# Card\n",
    }
    return publish_tiny(registry, files=files, origin={"distinct_pages": len(pages)})


def test_next_version_knows_pages_by_their_curves(tmp_path: Path, pages: list[LabelledPage]) -> None:
    registry = Registry(tmp_path)
    old = publish(registry, pages)
    new = with_fingerprints(registry, old, pages)
    assert (old, new) == ("tiny/1", "tiny/2")
    before, after = registry.files(old), registry.files(new)
    assert {name for name in after if before.get(name) != after[name]} == {FINGERPRINTS_FILE}
    assert registry.load(new).manifest.draft == registry.load(old).manifest.draft
    record = registry.load(new).trained_on
    assert record is not None
    assert record.find("0" * 64, pages[0].fingerprint) == pages[0].sha256


def test_missing_training_page_is_refused(tmp_path: Path, pages: list[LabelledPage]) -> None:
    registry = Registry(tmp_path)
    with pytest.raises(RunError, match="5 of the 6 training pages of tiny/1 are here"):
        with_fingerprints(registry, publish(registry, pages), pages[1:])


def test_complete_or_silent_bundle_is_refused(tmp_path: Path, pages: list[LabelledPage]) -> None:
    registry = Registry(tmp_path)
    new = with_fingerprints(registry, publish(registry, pages), pages)
    with pytest.raises(RunError, match="tiny/2 has the fingerprints of its training pages already"):
        with_fingerprints(registry, new, pages)
    with pytest.raises(RunError, match="does not say which pages"):
        with_fingerprints(registry, publish_tiny(registry, "silent"), pages)


def test_command_names_the_new_version(
    tmp_path: Path, pages: list[LabelledPage], capsys: pytest.CaptureFixture[str]
) -> None:
    publish(Registry(tmp_path), pages)
    folder = pages[0].path.parent.parent
    assert main(["fingerprint", "tiny", str(folder), "--registry", str(tmp_path)]) == 0
    assert "published tiny/2" in capsys.readouterr().out
