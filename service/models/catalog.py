"""List and load bundles of the registry, with errors in the service's own words. Reads files: call it in a thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from model_registry.bundle import Bundle, Card
from model_registry.errors import BrokenBundleError, RegistryError, UnknownBundleError
from model_registry.manifest import BundleManifest
from model_registry.registry import Registry, Stamp
from service.errors import BrokenModelError, RegistryUnavailableError, UnknownModelError
from shared_preproc.spec import MASKS_150

__all__ = ["Catalog", "Contents"]


@dataclass(frozen=True)
class Contents:
    """Everything in the registry."""

    bundles: tuple[BundleManifest, ...]
    broken: tuple[BrokenBundleError, ...]
    aliases: dict[str, str]
    """Alias to ``name/version``."""


class Catalog:
    """A registry whose bundles are served."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def contents(self) -> Contents:
        """List every bundle and alias.

        Raises:
            RegistryUnavailableError: the folder or its aliases cannot be read.
        """
        with _in_our_words():
            bundles, broken = self._registry.list()
            return Contents(bundles, broken, self._registry.aliases())

    def resolve(self, reference: str) -> str:
        """Find the ``name/version`` that an alias, a name or ``name/version`` means.

        Raises:
            ModelError: there is none, it is broken, or the registry cannot be read.
        """
        with _in_our_words():
            return self._registry.resolve(reference)

    def stamp(self, reference: str) -> Stamp:
        """Say which bundle a reference means now, and which content of it; cheap.

        Raises:
            ModelError: there is none, it is broken, or the registry cannot be read.
        """
        with _in_our_words():
            return self._registry.stamp(reference)

    def model_bytes(self, ref: str) -> int:
        """Size of the model of a ``name/version``; 0 where it has none, which `load` refuses."""
        return self._registry.model_bytes(ref)

    def load(self, reference: str) -> Bundle:
        """Read a bundle, verified to the last byte and preprocessed for as this program preprocesses.

        Raises:
            ModelError: there is none, it is broken, or the registry cannot be read.
        """
        with _in_our_words():
            bundle = self._registry.load(reference)
        _check_revision(bundle.manifest)
        return bundle

    def card(self, reference: str) -> Card:
        """Read what a bundle says about itself, also where this program could not serve it.

        Raises:
            ModelError: there is none, it is broken, or the registry cannot be read.
        """
        with _in_our_words():
            return self._registry.card(reference)


def _check_revision(manifest: BundleManifest) -> None:
    found, known = manifest.preprocessing.revision, MASKS_150.revision
    if found != known:
        raise BrokenModelError(
            found=f"{manifest.ref}: preprocessing of revision {found}",
            expected=f"revision {known}, which this program computes",
            remedy="Ask for another model; this one needs another version of this program, or to be trained again.",
        )


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except UnknownBundleError as error:
        raise UnknownModelError(_phrase(error)) from error
    except BrokenBundleError as error:
        raise BrokenModelError(
            found=f"{error.ref}: {error.reason}", expected="a bundle as it was published", remedy=error.remedy
        ) from error
    except RegistryError as error:
        raise RegistryUnavailableError(_phrase(error)) from error


def _phrase(error: RegistryError) -> str:
    return str(error).rstrip(".")
