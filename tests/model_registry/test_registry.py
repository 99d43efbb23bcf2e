"""Publishing, finding and loading bundles, one process at a time."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from model_registry.errors import (
    FingerprintMismatchError,
    InvalidManifestError,
    InvalidReferenceError,
    RegistryError,
    UnknownBundleError,
    UnreadableBundleError,
    UnreadableRegistryError,
)
from model_registry.manifest import MODEL_FILE
from model_registry.registry import Registry
from shared_preproc.spec import MASKS_150
from tests.bundles import draft, publish_tiny, tiny_model


def tree(path: Path) -> dict[str, bytes | None]:
    return {str(file.relative_to(path)): file.read_bytes() if file.is_file() else None for file in path.rglob("*")}


def test_what_is_published_is_what_is_loaded(registry: Registry) -> None:
    files = {MODEL_FILE: tiny_model(), "card.md": b"# Card\n", "roc.png": b"\x89PNG"}
    ref = registry.publish(draft(metrics={"accuracy": 0.75}), files)
    bundle = registry.load(ref)
    assert bundle.model == files[MODEL_FILE]
    assert bundle.manifest.ref == ref == "tiny/1"
    assert bundle.manifest.metrics == {"accuracy": 0.75}
    assert bundle.manifest.preprocessing == MASKS_150
    assert bundle.manifest.preprocessing_fingerprint == MASKS_150.fingerprint
    assert bundle.manifest.files.keys() == files.keys()
    assert registry.list() == ((bundle.manifest,), ())


def test_other_users_may_read_what_is_published(registry: Registry, path: Path) -> None:
    umask = os.umask(0o022)
    try:
        publish_tiny(registry)
    finally:
        os.umask(umask)
    assert (path / "tiny" / "1").stat().st_mode & 0o777 == 0o755
    assert {file.stat().st_mode & 0o777 for file in (path / "tiny" / "1").iterdir()} == {0o644}


def test_versions_count_up_as_numbers_for_each_name(registry: Registry) -> None:
    assert [publish_tiny(registry) for _ in range(11)] == [f"tiny/{version}" for version in range(1, 12)]
    assert publish_tiny(registry, "other") == "other/1"
    assert registry.resolve("tiny") == "tiny/11"
    assert [bundle.ref for bundle in registry.list().bundles][:3] == ["other/1", "tiny/1", "tiny/2"]


def test_a_version_follows_whatever_already_has_its_place(registry: Registry, path: Path) -> None:
    (path / "tiny" / "4").mkdir(parents=True)
    (path / "tiny" / "5").touch()
    assert publish_tiny(registry) == "tiny/6"


def test_a_version_taken_meanwhile_is_left_alone(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def overtaken(scratch: Path, target: Path) -> Path:
        monkeypatch.undo()
        publish_tiny(registry, description="faster")
        return rename(scratch, target)

    monkeypatch.setattr(Path, "rename", overtaken)
    assert publish_tiny(registry, description="slower") == "tiny/2"
    assert [registry.load(f"tiny/{version}").manifest.description for version in (1, 2)] == ["faster", "slower"]


def test_an_empty_registry_and_a_missing_one_hold_nothing(registry: Registry, path: Path) -> None:
    for _ in range(2):
        assert registry.list() == ((), ())
        assert registry.aliases() == {}
        with pytest.raises(UnknownBundleError, match=r"no bundle or alias production; the bundles are: none yet"):
            registry.resolve("production")
        path.mkdir(exist_ok=True)


@pytest.mark.parametrize(
    ("reference", "ref"), [("tiny", "tiny/2"), ("tiny/1", "tiny/1"), ("tiny/2", "tiny/2"), ("production", "tiny/1")]
)
def test_a_reference_is_an_alias_a_name_or_one_version(registry: Registry, reference: str, ref: str) -> None:
    publish_tiny(registry)
    publish_tiny(registry)
    registry.promote("tiny/1")
    assert registry.resolve(reference) == ref
    assert registry.load(reference).manifest.ref == ref


@pytest.mark.parametrize("reference", ["tinny", "tiny/2", "staging", "tiny/999999999"])
def test_an_unknown_reference_is_refused_with_what_there_is(registry: Registry, reference: str) -> None:
    publish_tiny(registry)
    with pytest.raises(UnknownBundleError, match=f"no bundle or alias {reference}; the bundles are: tiny"):
        registry.load(reference)


@pytest.mark.parametrize(
    "reference",
    [
        *("", "/", "..", "../x", "tiny/..", "tiny/../x", "/etc/passwd", "../" * 500),
        *("tiny/", "tiny/0", "tiny/01", "tiny/-1", "tiny/\u0661", "tiny/1/model.onnx"),
        *("Tiny", "tiny\n", "tiny/1\n", "tiny\0", ".scratch-1", "x" * 64),
    ],
)
def test_what_is_no_reference_never_reaches_the_disk(registry: Registry, reference: str) -> None:
    publish_tiny(registry)
    for call in (registry.resolve, registry.load, registry.promote):
        with pytest.raises(InvalidReferenceError) as caught:
            call(reference)
        assert len(str(caught.value)) < 300
    with pytest.raises(InvalidReferenceError):
        registry.promote("tiny/1", alias=reference)


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "sub/file", "manifest.json", "manifest.sha256", ".x"])  # noqa: S108
def test_a_file_cannot_leave_its_bundle_or_pose_as_the_manifest(registry: Registry, path: Path, name: str) -> None:
    with pytest.raises(InvalidManifestError):
        publish_tiny(registry, files={name: b"x"})
    assert not path.exists()


def test_a_bundle_needs_a_model(registry: Registry) -> None:
    with pytest.raises(InvalidManifestError, match=r"model\.onnx"):
        registry.publish(draft(), {"card.md": b"# Card\n"})


def test_preprocessing_with_altered_numbers_is_refused(registry: Registry) -> None:
    with pytest.raises(FingerprintMismatchError):
        publish_tiny(registry, preprocessing=replace(MASKS_150, gaussian_sigma_px=1))


@pytest.mark.parametrize("failing", range(1, 9))
def test_a_publication_that_fails_anywhere_leaves_nothing(
    registry: Registry, path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    publish_tiny(registry)
    before = tree(path)
    calls = 0

    def full_disk(descriptor: int) -> None:  # noqa: ARG001
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    try:
        publish_tiny(registry)
    except OSError:
        assert tree(path) == before or registry.load("tiny/2").model == tiny_model()
    else:
        assert calls < failing
    monkeypatch.undo()
    assert registry.list().broken == ()
    assert not list(path.glob(".*"))


def test_readers_ignore_what_is_no_bundle(registry: Registry, path: Path) -> None:
    publish_tiny(registry)
    for folder in (".scratch-0123", "lost+found", "Upper/1", "tiny/notes", "tiny/01", "unfinished"):
        (path / folder).mkdir(parents=True)
    (path / "README.md").touch()
    (path / "file").touch()
    assert [bundle.ref for bundle in registry.list().bundles] == ["tiny/1"]
    assert registry.list().broken == ()
    assert registry.resolve("tiny") == "tiny/1"
    for reference in ("unfinished", "file", "file/1"):
        with pytest.raises(UnknownBundleError):
            registry.resolve(reference)


def test_readers_write_nothing(registry: Registry, path: Path) -> None:
    publish_tiny(registry)
    registry.promote("tiny/1")
    before = tree(path), path.stat().st_mtime_ns
    reader = Registry(path)
    reader.list()
    reader.aliases()
    reader.load("production")
    assert (tree(path), path.stat().st_mtime_ns) == before


@pytest.mark.parametrize("broken", ["registry", "registry/tiny", "registry/aliases.json"])
def test_os_error_names_no_path(registry: Registry, path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    publish_tiny(registry, "fine")
    publish_tiny(registry)
    denied = path.parent / broken
    for method in ("iterdir", "read_bytes"):
        original = getattr(Path, method)

        def deny(self: Path, original: Callable[[Path], object] = original) -> object:
            if self == denied:
                raise PermissionError(errno.EACCES, "Permission denied", str(self))
            return original(self)

        monkeypatch.setattr(Path, method, deny)
    if broken == "registry/tiny":
        assert [bundle.ref for bundle in registry.list().bundles] == ["fine/1"]
        assert [type(error) for error in registry.list().broken] == [UnreadableBundleError]
    with pytest.raises((UnreadableRegistryError, UnreadableBundleError)) as caught:
        registry.list() if broken == "registry" else registry.resolve("tiny")
    assert isinstance(caught.value, RegistryError)
    assert "Permission denied" in str(caught.value)
    assert str(path.parent) not in str(caught.value)
