"""A published bundle, published once more with the fingerprints of the pages it was trained on.

A bundle never changes: the graph and every other file are the same, under the next version of the name.
"""

from collections.abc import Sequence

from model_registry.registry import Registry
from model_registry.training_record import TrainingRecord
from trainer.dataset import LabelledPage
from trainer.errors import RunError

__all__ = ["with_fingerprints"]


def with_fingerprints(registry: Registry, reference: str, pages: Sequence[LabelledPage]) -> str:
    """Publish ``reference`` anew with a fingerprint of each training page among ``pages``; gives its ``name/version``.

    Raises:
        RunError: the bundle has no record of its training pages, has all fingerprints, or ``pages`` lack one of them.
        RegistryError: the registry refuses the bundle.
    """
    bundle = registry.load(reference)
    manifest, record = bundle.manifest, bundle.trained_on
    if record is None:
        raise RunError(f"{manifest.ref} does not say which pages it was trained on; train it anew")
    if record.fingerprints:
        raise RunError(f"{manifest.ref} has the fingerprints of its training pages already")
    found = {page.sha256: page.fingerprint for page in pages if page.fingerprint and page.sha256 in record.files}
    expected = manifest.origin.get("distinct_pages")
    if len(found) != expected:
        raise RunError(f"{len(found)} of the {expected} training pages of {manifest.ref} are here; name their folder")
    files = registry.files(manifest.ref) | TrainingRecord(record.files, found).pack()
    return registry.publish(manifest.draft, files)
