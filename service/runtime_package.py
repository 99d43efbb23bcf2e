"""Check that exactly one ONNX Runtime package is installed, without importing it.

``onnxruntime`` and ``onnxruntime-gpu`` write the same folder. With both, the order of installation decides what runs.
"""

from collections.abc import Collection
from importlib import metadata

from service.errors import StartupError

__all__ = ["RUNTIME_PACKAGES", "check_runtime_packages", "installed_runtime_packages"]

RUNTIME_PACKAGES = ("onnxruntime", "onnxruntime-gpu")


def installed_runtime_packages() -> tuple[str, ...]:
    """Those of `RUNTIME_PACKAGES` that are installed here."""
    return tuple(name for name in RUNTIME_PACKAGES if any(metadata.distributions(name=name)))


def check_runtime_packages(installed: Collection[str]) -> None:
    """Refuse to go on with none of the two packages, or with both.

    Raises:
        StartupError: there is not exactly one.
    """
    if not installed:
        raise StartupError("No ONNX Runtime is installed. Install this package with the extra `cpu` or `gpu`.")
    if len(installed) > 1:
        raise StartupError(
            f"{' and '.join(sorted(installed))} are both installed and overwrite each other. "
            "Uninstall both, then install this package with the extra `cpu` or `gpu`, not with both."
        )
