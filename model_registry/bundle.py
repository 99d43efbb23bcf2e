"""One bundle's folder: sealed when written, read back only if every byte is what was published."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from model_registry.card import CARD_FILES, Card, parse_card
from model_registry.durable import sync_folder, write_file
from model_registry.errors import (
    BrokenBundleError,
    ChangedFileError,
    FingerprintMismatchError,
    IncompleteBundleError,
    InvalidManifestError,
    MalformedFileError,
    ManifestChangedError,
    MisplacedBundleError,
    MissingFileError,
    UnexpectedFileError,
    UnknownSchemaError,
    UnreadableBundleError,
)
from model_registry.golden import GOLDEN_FILE, Golden
from model_registry.graph import check_graph
from model_registry.manifest import (
    FINGERPRINT_MISMATCH,
    MANIFEST_FILE,
    MANIFEST_SEAL,
    MODEL_FILE,
    OUT_OF_FOLD_FILE,
    TRAINING_PAGES_FILE,
    BundleDraft,
    BundleManifest,
    Sha256,
)

__all__ = [
    "Bundle",
    "Card",
    "make_manifest",
    "read_bundle",
    "read_card",
    "read_manifest",
    "read_seal",
    "write_manifest",
]

_TRAINING_PAGES = TypeAdapter(frozenset[Sha256])


@dataclass(frozen=True)
class Bundle:
    """A bundle that passed every check. `model` holds the very bytes that were verified: load these, not a file."""

    manifest: BundleManifest
    model: bytes
    training_pages: frozenset[str] | None = None
    """SHA-256 (hex) of every file that was trained on; None where the bundle does not say."""
    golden: Golden | None = None
    """What the graph is known to answer; None where nothing was recorded."""
    out_of_fold: bytes | None = None
    """Content of `OUT_OF_FOLD_FILE`, in the trainer's own format; None where the bundle has none."""


def make_manifest(draft: BundleDraft, version: int, files: Mapping[str, bytes]) -> BundleManifest:
    """Complete a draft with what publishing knows: version, time, fingerprint and checksums.

    Raises:
        InvalidManifestError: the files lack a model, or one of them has a name that a bundle cannot hold.
    """
    try:
        return BundleManifest(
            **dict(draft),
            version=str(version),
            created_at=datetime.now(UTC),
            preprocessing_fingerprint=draft.preprocessing.fingerprint,
            files={name: _sha256(content) for name, content in files.items()},
        )
    except ValidationError as error:
        raise _refusal(f"{draft.name}/{version}", error) from error


def write_manifest(folder: Path, manifest: BundleManifest) -> None:
    """Write the manifest, after everything else: a folder without one is no bundle.

    Raises:
        OSError: A file cannot be written.
    """
    content = manifest.model_dump_json(indent=2).encode() + b"\n"
    write_file(folder / MANIFEST_SEAL, _seal(content))
    write_file(folder / MANIFEST_FILE, content)
    sync_folder(folder)


def read_manifest(folder: Path, ref: str) -> BundleManifest:
    """Read and judge a manifest, and that the files it lists, and no others, are there. They are not opened.

    Raises:
        BrokenBundleError: one of its subclasses says what is wrong.
    """
    names = _plain_files(folder, ref)
    if missing := {MANIFEST_FILE, MANIFEST_SEAL} - names:
        raise IncompleteBundleError(ref, f"it has no {' and no '.join(sorted(missing))}")
    content = _read(folder / MANIFEST_FILE, ref)
    if _read(folder / MANIFEST_SEAL, ref) != _seal(content):
        raise ManifestChangedError(
            ref,
            f"{MANIFEST_FILE} is cut short or edited: its SHA-256 {_sha256(content)} is not that of {MANIFEST_SEAL}",
        )
    manifest = _parse(content, ref)
    if manifest.ref != ref:
        raise MisplacedBundleError(ref, f"its manifest is that of {manifest.ref}")
    _check_file_names(names - {MANIFEST_FILE, MANIFEST_SEAL}, manifest)
    return manifest


def read_bundle(folder: Path, ref: str) -> Bundle:
    """Read a bundle and verify all of it.

    Raises:
        BrokenBundleError: one of its subclasses says what is wrong.
    """
    manifest = read_manifest(folder, ref)
    contents = {name: _verified(folder, name, manifest) for name in manifest.files}
    check_graph(contents[MODEL_FILE], manifest)
    parse_card(contents, manifest)
    return Bundle(
        manifest,
        contents[MODEL_FILE],
        _training_pages(contents, ref),
        _golden(contents, manifest),
        contents.get(OUT_OF_FOLD_FILE),
    )


def read_seal(folder: Path, ref: str) -> bytes:
    """Read the manifest's checksum: as long as it is the same, so is the bundle.

    Raises:
        BrokenBundleError: it is not there, or cannot be read.
    """
    return _read(folder / MANIFEST_SEAL, ref)


def read_card(folder: Path, ref: str) -> Card:
    """Read what a bundle says about itself, and verify that much of it: the graph is not opened.

    Raises:
        BrokenBundleError: one of its subclasses says what is wrong.
    """
    manifest = read_manifest(folder, ref)
    names = manifest.files.keys() & CARD_FILES
    return parse_card({name: _verified(folder, name, manifest) for name in names}, manifest)


def _training_pages(contents: Mapping[str, bytes], ref: str) -> frozenset[str] | None:
    if TRAINING_PAGES_FILE not in contents:
        return None
    try:
        return _TRAINING_PAGES.validate_python(contents[TRAINING_PAGES_FILE].decode().split())
    except ValueError as error:
        raise MalformedFileError(ref, f"{TRAINING_PAGES_FILE} is no list of SHA-256, one a line") from error


def _golden(contents: Mapping[str, bytes], manifest: BundleManifest) -> Golden | None:
    if GOLDEN_FILE not in contents:
        return None
    try:
        golden = Golden.model_validate_json(contents[GOLDEN_FILE])
    except ValidationError as error:
        raise MalformedFileError(manifest.ref, f"{GOLDEN_FILE} is no recorded answer") from error
    if {len(page) for page in golden.page_probabilities} != {len(manifest.class_names)}:
        raise MalformedFileError(manifest.ref, f"{GOLDEN_FILE} does not answer for each of the classes")
    return golden


def _verified(folder: Path, name: str, manifest: BundleManifest) -> bytes:
    content = _read(folder / name, manifest.ref)
    found, expected = _sha256(content), manifest.files[name]
    if found != expected:
        raise ChangedFileError(manifest.ref, f"{name} has the SHA-256 {found}, expected {expected}")
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _seal(manifest: bytes) -> bytes:
    return f"{_sha256(manifest)}  {MANIFEST_FILE}\n".encode()


def _plain_files(folder: Path, ref: str) -> set[str]:
    try:
        if folder.is_symlink():
            raise UnexpectedFileError(ref, "its folder is a symbolic link, expected a plain one")
        with os.scandir(folder) as entries:
            plain = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    except OSError as error:
        raise UnreadableBundleError(ref, f"its folder cannot be read ({error.strerror})") from error
    if odd := sorted(name for name, is_file in plain.items() if not is_file):
        raise UnexpectedFileError(ref, f"{', '.join(odd)}: expected plain files, no folder and no link")
    return set(plain)


def _read(path: Path, ref: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableBundleError(ref, f"{path.name} cannot be read ({error.strerror})") from error


def _parse(content: bytes, ref: str) -> BundleManifest:
    try:
        return BundleManifest.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise _refusal(ref, error) from error


def _refusal(ref: str, error: ValidationError) -> BrokenBundleError:
    details = error.errors(include_url=False)
    for detail in details:
        if detail["loc"] == ("schema_version",):
            return UnknownSchemaError(ref, f"its schema_version is {detail['input']!r}, expected 1")
        if detail["type"] == FINGERPRINT_MISMATCH:
            return FingerprintMismatchError(ref, detail["msg"])
    where = (".".join(map(str, detail["loc"])) or "as a whole" for detail in details)
    reasons = "; ".join(f"{place}: {detail['msg']}" for place, detail in zip(where, details, strict=True))
    return InvalidManifestError(ref, f"its manifest is not valid: {reasons}")


def _check_file_names(found: set[str], manifest: BundleManifest) -> None:
    if missing := sorted(manifest.files.keys() - found):
        raise MissingFileError(manifest.ref, f"{', '.join(missing)} is missing")
    if extra := sorted(found - manifest.files.keys()):
        raise UnexpectedFileError(manifest.ref, f"{', '.join(extra)} is not in its manifest")
