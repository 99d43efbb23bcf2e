"""Every way a bundle can be broken on disk: refused with its reason, and no other bundle suffers."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry import errors
from model_registry.errors import BrokenBundleError
from model_registry.manifest import MANIFEST_FILE, MANIFEST_SEAL, MODEL_FILE
from model_registry.registry import Registry
from tests.bundles import publish_tiny, rewrite_manifest, tiny_model

Damage = Callable[[Path], object]

NO_SUCH = "0" * 64


def edited(change: Callable[[dict[str, Any]], object]) -> Damage:
    return lambda folder: rewrite_manifest(folder, change)


def linked_file(folder: Path) -> None:
    shutil.move(folder / "card.md", folder.parents[2] / "card.md")
    (folder / "card.md").symlink_to(folder.parents[2] / "card.md")


def linked_folder(folder: Path) -> None:
    shutil.move(folder, folder.parents[2] / "elsewhere")
    folder.symlink_to(folder.parents[2] / "elsewhere")


def folder_for_file(folder: Path) -> None:
    (folder / "card.md").unlink()
    (folder / "card.md").mkdir()


def pipe_for_file(folder: Path) -> None:
    (folder / "card.md").unlink()
    os.mkfifo(folder / "card.md")


def file_for_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("not a folder")


def another_bundle(folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(folder.parent / "1", folder)


def cut(name: str) -> Damage:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-40])


SEEN_BY_LIST = [
    pytest.param(lambda folder: (folder / MANIFEST_FILE).unlink(), "IncompleteBundleError", id="no manifest"),
    pytest.param(lambda folder: (folder / MANIFEST_SEAL).unlink(), "IncompleteBundleError", id="no checksum"),
    pytest.param(lambda folder: [file.unlink() for file in folder.iterdir()], "IncompleteBundleError", id="empty"),
    pytest.param(cut(MANIFEST_FILE), "ManifestChangedError", id="manifest cut"),
    pytest.param(cut(MANIFEST_SEAL), "ManifestChangedError", id="checksum cut"),
    pytest.param(edited(lambda manifest: manifest.pop("outputs")), "InvalidManifestError", id="field missing"),
    pytest.param(edited(lambda manifest: manifest.update(note=1)), "InvalidManifestError", id="unknown field"),
    pytest.param(
        edited(lambda manifest: manifest["class_names"].pop()), "InvalidManifestError", id="classes unlike the outputs"
    ),
    pytest.param(
        edited(lambda manifest: manifest["files"].update({"../x": NO_SUCH})), "InvalidManifestError", id="../x"
    ),
    pytest.param(
        edited(lambda manifest: manifest["files"].update({"/etc/x": NO_SUCH})), "InvalidManifestError", id="/etc/x"
    ),
    pytest.param(
        edited(lambda manifest: manifest["preprocessing"].update(gaussian_sigma_px="1.0")),
        "InvalidManifestError",
        id="number as text",
    ),
    pytest.param(
        edited(lambda manifest: manifest.update(schema_version=2, later=1)), "UnknownSchemaError", id="later schema"
    ),
    pytest.param(
        edited(lambda manifest: manifest.update(preprocessing_fingerprint=NO_SUCH)),
        "FingerprintMismatchError",
        id="wrong fingerprint",
    ),
    pytest.param(another_bundle, "MisplacedBundleError", id="copy of another version"),
    pytest.param(edited(lambda manifest: manifest.update(name="other")), "MisplacedBundleError", id="other name"),
    pytest.param(lambda folder: (folder / MODEL_FILE).unlink(), "MissingFileError", id="no model"),
    pytest.param(lambda folder: (folder / "card.md").unlink(), "MissingFileError", id="no card"),
    pytest.param(lambda folder: (folder / "weights.bin").touch(), "UnexpectedFileError", id="extra file"),
    pytest.param(lambda folder: (folder / ".hidden").touch(), "UnexpectedFileError", id="hidden file"),
    pytest.param(lambda folder: (folder / "more").mkdir(), "UnexpectedFileError", id="extra folder"),
    pytest.param(linked_file, "UnexpectedFileError", id="file is a link"),
    pytest.param(linked_folder, "UnexpectedFileError", id="folder is a link"),
    pytest.param(folder_for_file, "UnexpectedFileError", id="folder for a file"),
    pytest.param(pipe_for_file, "UnexpectedFileError", id="pipe for a file"),
    pytest.param(file_for_folder, "UnreadableBundleError", id="file for the folder"),
]

SEEN_BY_LOAD = [
    pytest.param(lambda folder: (folder / MODEL_FILE).write_bytes(tiny_model(sharpness=1)), id="another model"),
    pytest.param(lambda folder: (folder / "card.md").write_text("# Better\n"), id="another card"),
    pytest.param(lambda folder: (folder / MODEL_FILE).write_bytes(b""), id="empty model"),
]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "registry")
    for _ in range(3):
        publish_tiny(registry)
    registry.promote("tiny/1")
    return registry


def assert_only_version_2_is_refused(registry: Registry, kind: type[BrokenBundleError], tmp_path: Path) -> None:
    with pytest.raises(kind) as caught:
        registry.load("tiny/2")
    assert type(caught.value) is kind
    assert caught.value.ref == "tiny/2"
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(kind):
        registry.promote("tiny/2")
    assert registry.load("production").manifest.ref == "tiny/1"
    assert registry.load("tiny").manifest.ref == "tiny/3"


@pytest.mark.parametrize(("damage", "kind"), SEEN_BY_LIST)
def test_is_refused_and_listed_as_broken(registry: Registry, tmp_path: Path, damage: Damage, kind: str) -> None:
    damage(tmp_path / "registry" / "tiny" / "2")
    assert_only_version_2_is_refused(registry, getattr(errors, kind), tmp_path)
    listing = registry.list()
    assert [bundle.ref for bundle in listing.bundles] == ["tiny/1", "tiny/3"]
    assert [(error.ref, type(error).__name__) for error in listing.broken] == [("tiny/2", kind)]


@pytest.mark.parametrize("damage", SEEN_BY_LOAD)
def test_changed_file_is_refused_when_loaded(registry: Registry, tmp_path: Path, damage: Damage) -> None:
    damage(tmp_path / "registry" / "tiny" / "2")
    assert_only_version_2_is_refused(registry, errors.ChangedFileError, tmp_path)


def test_an_unreadable_file_is_refused(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_bytes = Path.read_bytes

    def deny(path: Path) -> bytes:
        if path.parent.name == "2":
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", deny)
    assert_only_version_2_is_refused(registry, errors.UnreadableBundleError, tmp_path)


def test_a_name_that_is_a_link_is_refused_whole(registry: Registry, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "registry" / "tiny", tmp_path / "outside")
    (tmp_path / "registry" / "linked").symlink_to(tmp_path / "outside")
    assert [(error.ref, type(error)) for error in registry.list().broken] == [("linked", errors.UnexpectedFileError)]
    for reference in ("linked", "linked/1"):
        with pytest.raises(errors.UnexpectedFileError):
            registry.load(reference)
    with pytest.raises(errors.UnexpectedFileError):
        publish_tiny(registry, "linked")
    assert len(registry.list().bundles) == 3


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A registry that each example leaves as it found it."""
    path = tmp_path_factory.mktemp("registry")
    for _ in range(2):
        publish_tiny(Registry(path))
    yield path
    assert len(Registry(path).list().bundles) == 2


@given(data=st.data())
def test_any_changed_byte_of_any_file_is_refused(shared: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted((shared / "tiny" / "2").iterdir())), label="file")
    original = file.read_bytes()
    place = data.draw(st.integers(0, len(original) - 1), label="place")
    changed = bytearray(original)
    changed[place] ^= data.draw(st.integers(1, 255), label="bits")
    try:
        file.write_bytes(changed)
        with pytest.raises(BrokenBundleError):
            Registry(shared).load("tiny/2")
        assert Registry(shared).load("tiny/1").model == tiny_model()
    finally:
        file.write_bytes(original)


def numbers(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where numbers stand in a JSON value."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers(item, (*path, key))
    elif isinstance(value, int | float):
        yield path


@given(data=st.data())
def test_any_changed_number_of_the_preprocessing_is_refused(shared: Path, data: st.DataObject) -> None:
    folder = shared / "tiny" / "2"
    originals = {name: (folder / name).read_bytes() for name in (MANIFEST_FILE, MANIFEST_SEAL)}
    preprocessing = json.loads(originals[MANIFEST_FILE])["preprocessing"]
    *way, last = data.draw(st.sampled_from(list(numbers(preprocessing))), label="number")

    def change(manifest: dict[str, Any]) -> None:
        holder: Any = manifest["preprocessing"]
        for key in way:
            holder = holder[key]
        kind = st.integers(-10_000, 10_000) if isinstance(holder[last], int) else st.floats(-1e6, 1e6)
        holder[last] = data.draw(kind.filter(lambda value: value != holder[last]), label="value")

    try:
        rewrite_manifest(folder, change)
        with pytest.raises((errors.FingerprintMismatchError, errors.InvalidManifestError)):  # or a number out of range
            Registry(shared).load("tiny/2")
    finally:
        for name, content in originals.items():
            (folder / name).write_bytes(content)
