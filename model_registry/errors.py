"""What can be wrong with a registry. No HTTP here: the service maps these to answers.

    RegistryError
    +-- UnknownBundleError            no bundle or alias of that name
    |   +-- InvalidReferenceError     not an alias, "name" or "name/version" at all: "../x", "/x", "name/01"
    |   +-- DanglingAliasError        an alias points at a bundle that is gone
    +-- BrokenBundleError             a bundle that must not be served; `ref` says which, `reason` why
    |   +-- IncompleteBundleError     half written: a manifest or its checksum is missing
    |   +-- ManifestChangedError      the manifest is cut short or edited
    |   +-- InvalidManifestError      a field of the manifest is missing, unknown, or contradicts another
    |   +-- UnknownSchemaError        the manifest is of a later kind than this program reads
    |   +-- FingerprintMismatchError  the preprocessing numbers are not those the weights were trained with
    |   +-- MisplacedBundleError      the folder is not the one the manifest names
    |   +-- MissingFileError          the manifest lists a file that is not there
    |   +-- UnexpectedFileError       a file, folder or link that the manifest does not list
    |   +-- ChangedFileError          a file whose SHA-256 is not the manifest's
    |   +-- MalformedFileError        the card or the list of training pages cannot be read as such
    |   +-- UnreadableBundleError     the operating system refuses to read it
    |   +-- InvalidModelError         model.onnx is no valid ONNX model
    |   +-- ExternalDataError         model.onnx keeps weights in files outside itself
    |   +-- SignatureMismatchError    model.onnx has other inputs or outputs than the manifest says
    +-- BrokenAliasesError            aliases.json or its history is not what this package writes
    +-- NameTakenError                a name would mean both a bundle and an alias
    +-- NothingToRollBackError        an alias has no earlier bundle
    +-- UnreadableRegistryError       the operating system refuses to read the registry folder

Messages name bundles and aliases, never paths: they reach the users of the service.
"""

from typing import ClassVar

__all__ = [
    "BrokenAliasesError",
    "BrokenBundleError",
    "ChangedFileError",
    "DanglingAliasError",
    "ExternalDataError",
    "FingerprintMismatchError",
    "IncompleteBundleError",
    "InvalidManifestError",
    "InvalidModelError",
    "InvalidReferenceError",
    "MalformedFileError",
    "ManifestChangedError",
    "MisplacedBundleError",
    "MissingFileError",
    "NameTakenError",
    "NothingToRollBackError",
    "RegistryError",
    "SignatureMismatchError",
    "UnexpectedFileError",
    "UnknownBundleError",
    "UnknownSchemaError",
    "UnreadableBundleError",
    "UnreadableRegistryError",
]


class RegistryError(Exception):
    """Something about the registry that a person has to put right."""


class UnknownBundleError(RegistryError):
    """The registry holds no bundle or alias of that name."""


class InvalidReferenceError(UnknownBundleError):
    """The text cannot refer to anything: it is no alias, `name` or `name/version`."""


class DanglingAliasError(UnknownBundleError):
    """The alias exists, the bundle it points at does not."""


class BrokenBundleError(RegistryError):
    """A bundle that must not be served. `ref` says which, `reason` what was found and what was expected."""

    remedy: ClassVar[str] = "Publish it again: a published bundle is never repaired in place."

    def __init__(self, ref: str, reason: str) -> None:
        super().__init__(f"Bundle {ref} is refused: {reason}. {self.remedy}")
        self.ref = ref
        self.reason = reason


class IncompleteBundleError(BrokenBundleError):
    """The manifest or its checksum is missing: the folder was copied or deleted half way."""


class ManifestChangedError(BrokenBundleError):
    """The manifest's SHA-256 is not the one that was written with it."""


class InvalidManifestError(BrokenBundleError):
    """A field of the manifest is missing, unknown, malformed, or contradicts another."""


class UnknownSchemaError(BrokenBundleError):
    """The manifest's `schema_version` is one that this program does not know."""

    remedy = "Upgrade this program, or publish the bundle again with this version of it."


class FingerprintMismatchError(BrokenBundleError):
    """The preprocessing numbers do not give the fingerprint that the weights were trained under."""


class MisplacedBundleError(BrokenBundleError):
    """The folder was copied or renamed: its manifest names another bundle."""


class MissingFileError(BrokenBundleError):
    """The manifest lists a file that is not there."""


class UnexpectedFileError(BrokenBundleError):
    """Something in the bundle that the manifest does not list, or that is no plain file or folder."""


class ChangedFileError(BrokenBundleError):
    """A file's SHA-256 is not the one in the manifest."""


class MalformedFileError(BrokenBundleError):
    """A file is as it was published, but not of the form that its name promises."""


class UnreadableBundleError(BrokenBundleError):
    """The operating system refuses to read the bundle."""

    remedy = "Give this program's user read access to the registry, and check the disk."


class InvalidModelError(BrokenBundleError):
    """The bytes of model.onnx are no valid ONNX model."""


class ExternalDataError(BrokenBundleError):
    """The graph keeps weights in files of their own, which no checksum here covers."""

    remedy = "Export the model with its weights inside, and publish it again."


class SignatureMismatchError(BrokenBundleError):
    """The graph's inputs or outputs are not those of the manifest."""


class BrokenAliasesError(RegistryError):
    """The alias file or its history is not what this package writes."""


class NameTakenError(RegistryError):
    """A name would mean both a bundle and an alias."""


class NothingToRollBackError(RegistryError):
    """The alias points at nothing, or has pointed at nothing else before."""


class UnreadableRegistryError(RegistryError):
    """The operating system refuses to read the registry folder."""
