"""``python -m gateway``: receive ECGs by C-STORE. ``python -m gateway folder IN OUT``: classify files once.

Exit codes: 0 done; 1 `folder`: some DICOM files got no result; 2 a wrong command or setting.
"""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from gateway.archive import archive_sender
from gateway.errors import StartupError
from gateway.folder import classify_folder
from gateway.instance import read_instance
from gateway.log import configure_logging, log
from gateway.mllp import send_hl7
from gateway.receiver import Receiver
from gateway.results import results_of
from gateway.service_client import ServiceClient
from gateway.settings import (
    GatewaySettings,
    address_of,
    describe_settings,
    read_gateway_settings,
    read_secret,
    unknown_settings,
)
from gateway.spool import Kind, Spool
from gateway.web import post_fhir, web_client
from gateway.worker import Handler, Worker

__all__ = ["main"]

_IN = ("MERCURE_IN_DIR", "HOLOSCAN_INPUT_PATH")
_OUT = ("MERCURE_OUT_DIR", "HOLOSCAN_OUTPUT_PATH")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway",
        description=__doc__,
        epilog=f"settings, from the environment:\n{describe_settings()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command")
    folder = commands.add_parser("folder", help="classify the DICOM files of a folder once")
    folder.add_argument("source", metavar="IN", nargs="?", help=f"default: ${' or $'.join(_IN)}")
    folder.add_argument("target", metavar="OUT", nargs="?", help=f"default: ${' or $'.join(_OUT)}")
    options = parser.parse_args(arguments)
    configure_logging()
    for name in unknown_settings(os.environ):
        log("unknown_setting", level=logging.WARNING, name=name)
    try:
        settings = read_gateway_settings()
        service = ServiceClient(settings.service_url, read_secret(settings.service_key_file))
        if options.command == "folder":
            return _folder(options.source, options.target, service)
        _serve(settings, service)
    except StartupError as error:
        log("cannot_start", level=logging.ERROR, reason=str(error))
        return 2
    return 0


def _folder(source: str | None, target: str | None, service: ServiceClient) -> int:
    places = [
        given or next((os.environ[name] for name in names if os.environ.get(name)), None)
        for given, names in ((source, _IN), (target, _OUT))
    ]
    if not all(place and Path(place).is_dir() for place in places):
        raise StartupError("IN and OUT must be folders: python -m gateway folder IN OUT.")
    return 1 if classify_folder(Path(places[0] or ""), Path(places[1] or ""), service) else 0


def _serve(settings: GatewaySettings, service: ServiceClient) -> None:
    """Receive until SIGTERM or SIGINT, then finish what is in hand."""
    handlers = _handlers(settings, service)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    spool = Spool(settings.spool_dir)
    worker = Worker(spool, handlers)
    try:
        receiver = Receiver(settings, spool, worker.wake)
        log("running", port=receiver.port, ae_title=settings.ae_title, sends=",".join(list(handlers)[1:]))
        ending.wait()
        receiver.stop()
    finally:
        worker.stop()
        spool.close()
    log("stopped")


def _handlers(settings: GatewaySettings, service: ServiceClient) -> dict[Kind, Handler]:
    """What is done with each kind of job; kinds without a destination are never made."""
    if settings.archive is None:
        raise StartupError("ECG_GATEWAY_ARCHIVE is not set. Name where results go, as dicom://AE@host:port.")
    fhir_url, hl7 = settings.fhir_url, settings.hl7
    send_to_archive = archive_sender(settings)
    handlers: dict[Kind, Handler] = {
        "classify": lambda job: results_of(
            read_instance(job.data), service, fhir=fhir_url is not None, hl7=hl7 is not None
        ),
        "dicom": lambda job: send_to_archive(job.data),
    }
    if fhir_url is not None:
        client = web_client(settings, read_secret(settings.fhir_token_file))
        handlers["fhir"] = lambda job: post_fhir(client, fhir_url, job.data)
    if hl7 is not None:
        handlers["hl7"] = lambda job: send_hl7(job.data, address_of(hl7))
    return handlers


if __name__ == "__main__":
    sys.exit(main())
