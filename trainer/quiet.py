"""TensorFlow, imported without its start-up chatter."""

import importlib
import os

__all__ = ["import_tensorflow"]

_STANDARD_ERROR = 2


def import_tensorflow() -> None:
    """Import TensorFlow while standard error is closed to its C++ libraries.

    Some of their lines come before they read ``TF_CPP_MIN_LOG_LEVEL``. Exceptions are raised as ever.
    """
    kept = os.dup(_STANDARD_ERROR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STANDARD_ERROR)
    try:
        importlib.import_module("tensorflow")
    finally:
        os.dup2(kept, _STANDARD_ERROR)
        os.close(kept)
        os.close(nowhere)
