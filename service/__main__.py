"""``python -m service``: settings from the environment, then the server."""

import contextlib
import logging
import os
import sys

import cv2

from service.allocator import keep_freed_memory
from service.errors import StartupError
from service.log_config import configure_logging
from service.runtime_package import check_runtime_packages, installed_runtime_packages
from service.settings import read_settings, unknown_settings

__all__ = ["main"]

_SWITCH_S = 0.05
"""For how long a thread waits until Python takes the interpreter's lock from another one; 5 ms, unless told otherwise.

Who has it gives it up by itself with every page that is read or classified. Where it is taken instead, both lose what
they had in the caches: some per cent of the pages at twice the load (decision 7).
"""

logger = logging.getLogger(__name__)


def main() -> None:
    """Serve until told to stop. Exits with 2, and says why, if the service cannot start as it is set up."""
    try:
        _serve()
    except StartupError as error:
        sys.stderr.write(f"The service cannot start: {error}\n")
        sys.exit(2)


def _serve() -> None:
    settings = read_settings()
    check_runtime_packages(installed_runtime_packages())
    # Not before the check: these import ONNX Runtime, which fails without a word of what to install.
    from service.app import create_app  # noqa: PLC0415
    from service.server import make_server  # noqa: PLC0415

    keep_freed_memory()
    sys.setswitchinterval(_SWITCH_S)
    # Pages that are worked on at the same time keep every core busy: a step shared out over the cores only costs more.
    cv2.setNumThreads(1)
    configure_logging(settings.log_level, settings.log_format)
    if unknown := unknown_settings(os.environ):
        logger.warning("unknown_settings", extra={"fields": {"ignored": ", ".join(unknown)}})
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again once it has stopped
        make_server(create_app(settings), settings).run()


if __name__ == "__main__":
    main()
