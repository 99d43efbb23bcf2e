"""``python -m service``: settings from the environment, then the server."""

import argparse
import contextlib
import logging
import os
import sys
import threading
import time

from service import __version__
from service.errors import StartupError
from service.host import check_runtime_packages, installed_runtime_packages, tune_process
from service.settings import describe_settings, read_settings, unknown_settings
from service.telemetry.logs import configure_logging

__all__ = ["main"]

_LAST_THREADS_S = 2.0

logger = logging.getLogger(__name__)


def main() -> None:
    """Serve until SIGTERM; exit with 2 if the service cannot start."""
    introduction = "Serve POST /classify and the page for people. Environment variables are the settings:"
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description="\n".join([introduction, "", *describe_settings()]),
        epilog="docs/settings.md explains each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.parse_args()
    try:
        _serve()
    except StartupError as error:
        sys.stderr.write(f"The service cannot start: {error}\n")
        sys.exit(2)


def _serve() -> None:
    settings = read_settings()
    check_runtime_packages(installed_runtime_packages())
    # These import ONNX Runtime, which must be installed.
    from service.app import create_app  # noqa: PLC0415
    from service.server import make_server  # noqa: PLC0415

    tune_process()
    configure_logging(settings.log_level, settings.log_format)
    if unknown := unknown_settings(os.environ):
        logger.warning("unknown_settings", extra={"fields": {"ignored": ", ".join(unknown)}})
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again when it has stopped
        make_server(create_app(settings), settings).run()
    _leave_stuck_threads()


def _leave_stuck_threads() -> None:
    """Exit in spite of threads that hang in native code."""
    threads = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    end_s = time.monotonic() + _LAST_THREADS_S
    for thread in threads:
        thread.join(max(0.0, end_s - time.monotonic()))
    if any(thread.is_alive() and not thread.daemon for thread in threads):
        logging.shutdown()
        os._exit(0)


if __name__ == "__main__":
    main()
