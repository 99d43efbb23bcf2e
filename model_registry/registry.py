"""The registry: a folder of bundles that never change, and the aliases that point at them. Runs no model.

    <registry>/<name>/<version>/model.onnx, manifest.json, manifest.sha256, ...
    <registry>/aliases.json

Readers take no lock and write nothing, so a registry may be mounted read-only where it is served.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from model_registry.aliases import AliasTable
from model_registry.bundle import (
    Bundle,
    Card,
    make_manifest,
    read_bundle,
    read_card,
    read_files,
    read_manifest,
    read_seal,
    write_manifest,
)
from model_registry.durable import claim_folder, scratch_folder, sync_folder, write_file
from model_registry.errors import (
    BrokenBundleError,
    DanglingAliasError,
    NameTakenError,
    UnexpectedFileError,
    UnknownBundleError,
    UnreadableBundleError,
    UnreadableRegistryError,
)
from model_registry.manifest import MODEL_FILE, BundleDraft, BundleManifest
from model_registry.names import check_alias, is_name, is_version, split_reference

__all__ = ["Bundle", "BundleDraft", "Card", "Listing", "Registry", "Stamp"]


class Listing(NamedTuple):
    """What a registry holds, by name and then by version."""

    bundles: tuple[BundleManifest, ...]
    broken: tuple[BrokenBundleError, ...]
    """One for each bundle that must not be served; its `ref` and `reason` say which and why."""


class Stamp(NamedTuple):
    """What has to stay the same for a loaded bundle to be the one that a reference means."""

    ref: str
    """Its `name/version`."""
    seal: bytes
    """The checksum of its manifest, which holds those of all its files."""


class Registry:
    """A folder of bundles. It need not exist yet: until something is published it holds nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aliases = AliasTable(path)

    def list(self) -> Listing:
        """Every bundle; a broken one hides no other.

        Cheap: manifests are read and judged, and the files they list must be there, but no file is hashed and no
        graph opened. `load` does that.

        Raises:
            UnreadableRegistryError: the operating system refuses to read the folder.
        """
        found = [result for name in self._names() for result in self._manifests(name)]
        return Listing(
            tuple(result for result in found if isinstance(result, BundleManifest)),
            tuple(result for result in found if isinstance(result, BrokenBundleError)),
        )

    def aliases(self) -> dict[str, str]:
        """Every alias with the `name/version` it points at.

        Raises:
            BrokenAliasesError: `aliases.json` is no JSON object of alias to `name/version`.
            UnreadableRegistryError: the operating system refuses to read it.
        """
        return self._aliases.read()

    def resolve(self, reference: str) -> str:
        """Find the one bundle that an alias, a name (its newest version) or `name/version` means.

        Raises:
            UnknownBundleError: there is none; a subclass tells impossible references and dangling aliases apart.
            BrokenBundleError: the name's folder is a link, or cannot be read.
            BrokenAliasesError: `aliases.json` is damaged; `name/version` needs no alias and still works.
            UnreadableRegistryError: the operating system refuses to read the folder.
        """
        name, version = split_reference(reference)
        if version is None and (target := self.aliases().get(name)):
            return self._aliased(name, target)
        versions = self._versions(name)
        if version is None and versions:
            return f"{name}/{versions[-1]}"
        if version in versions:
            return reference
        known = ", ".join(self._names()) or "none yet"
        raise UnknownBundleError(f"There is no bundle or alias {reference}; the bundles are: {known}.")

    def load(self, reference: str) -> Bundle:
        """Read what a reference means, verified to the last byte: manifest, every file, and the graph.

        Raises:
            UnknownBundleError: there is no such bundle.
            BrokenBundleError: it must not be served; the subclass and its `reason` say why.
            BrokenAliasesError: `aliases.json` is damaged.
            UnreadableRegistryError: the operating system refuses to read the folder.
        """
        ref = self.resolve(reference)
        return read_bundle(self._path / ref, ref)

    def files(self, reference: str) -> dict[str, bytes]:
        """Give the content of every file of a bundle but its manifest, by name, as `publish` takes them.

        Raises:
            RegistryError: as `load`.
        """
        ref = self.resolve(reference)
        return read_files(self._path / ref, ref)

    def stamp(self, reference: str) -> Stamp:
        """Say which bundle a reference means now, and which content of it; cheap enough to be asked again and again.

        Raises:
            RegistryError: as `load`, of which nothing but the manifest's checksum is read.
        """
        ref = self.resolve(reference)
        return Stamp(ref, read_seal(self._path / ref, ref))

    def model_bytes(self, ref: str) -> int:
        """Return the size of a `name/version`'s model without reading it; 0 if there is none.

        A bundle without a model is for `load` to refuse.
        """
        try:
            return (self._path / ref / MODEL_FILE).stat().st_size
        except OSError:
            return 0

    def card(self, reference: str) -> Card:
        """Read what a bundle says about itself, that much of it verified; the model is not read.

        Raises:
            RegistryError: as `load`.
        """
        ref = self.resolve(reference)
        return read_card(self._path / ref, ref)

    def publish(self, draft: BundleDraft, files: Mapping[str, bytes]) -> str:
        """Add a bundle, whole or not at all, under the next version of its name; return its `name/version`.

        `files` holds model.onnx and whatever else belongs to it: a card, figures, plots. Before anyone can see the
        bundle it is read back and passes what `load` demands. Publishers need no lock: each gets its own version.

        Raises:
            BrokenBundleError: draft, files and graph do not fit together; nothing was published.
            NameTakenError: an alias has this name.
            BrokenAliasesError: `aliases.json` is damaged.
            OSError: the bundle cannot be written.
        """
        if draft.name in self.aliases():
            raise NameTakenError(f"{draft.name} is an alias; give the bundle another name.")
        manifest = make_manifest(draft, self._next_version(draft.name), files)
        with scratch_folder(self._path) as scratch:
            for name, content in files.items():
                write_file(scratch / name, content)
            write_manifest(scratch, manifest)
            read_bundle(scratch, manifest.ref)
            while not claim_folder(scratch, self._path / manifest.ref):
                version = str(self._next_version(manifest.name))
                manifest = manifest.model_copy(update={"version": version})
                write_manifest(scratch, manifest)
        sync_folder(self._path)
        return manifest.ref

    def promote(self, reference: str, alias: str = "production") -> None:
        """Let an alias point at a bundle, once that bundle has passed what `load` demands.

        Raises:
            InvalidReferenceError: the alias is not a name that an alias can have.
            NameTakenError: A bundle has the alias's name.
            RegistryError: as `load`; the alias stays as it was.
            OSError: the aliases cannot be written.
        """
        check_alias(alias)
        if alias in self._names():
            raise NameTakenError(f"{alias} is a bundle; give the alias another name.")
        self._aliases.point(alias, self.load(reference).manifest.ref)

    def roll_back(self, alias: str = "production") -> str:
        """Let an alias point at what it pointed at before, and before that when called again; return which that is.

        Raises:
            NothingToRollBackError: it has pointed at nothing else before.
            RegistryError: as `load`, about the earlier bundle; the alias stays as it was.
            OSError: the aliases cannot be written.
        """
        return self._aliases.roll_back(alias, self.load)

    def _aliased(self, alias: str, target: str) -> str:
        name, version = split_reference(target)
        if version not in self._versions(name):
            raise DanglingAliasError(f"The alias {alias} points at {target}, which is gone; promote another bundle.")
        return target

    def _manifests(self, name: str) -> Iterator[BundleManifest | BrokenBundleError]:
        try:
            versions = self._versions(name)
        except BrokenBundleError as error:
            yield error
            return
        for version in versions:
            ref = f"{name}/{version}"
            try:
                yield read_manifest(self._path / ref, ref)
            except BrokenBundleError as error:
                yield error

    def _names(self) -> Sequence[str]:
        try:
            return sorted(path.name for path in self._path.iterdir() if is_name(path.name) and path.is_dir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UnreadableRegistryError(f"The registry cannot be read ({error.strerror}).") from error

    def _versions(self, name: str) -> Sequence[int]:
        folder = self._path / name
        try:
            if folder.is_symlink():
                raise UnexpectedFileError(name, "its folder is a symbolic link, expected a plain one")
            return sorted(int(path.name) for path in folder.iterdir() if is_version(path.name))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise UnreadableBundleError(name, f"its folder cannot be read ({error.strerror})") from error

    def _next_version(self, name: str) -> int:
        return max(self._versions(name), default=0) + 1
