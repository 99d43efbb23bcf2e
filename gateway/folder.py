"""`folder IN OUT`: every ECG among the files of a folder, its results into another; for mercure and MONAI Deploy."""

import logging
import os
import time
from pathlib import Path

from gateway.errors import DeliveryError, NoEcgError, UnreachableError, UnusableInstanceError
from gateway.instance import Instance, read_instance
from gateway.log import log
from gateway.results import results_of
from gateway.service_client import ServiceClient

__all__ = ["classify_folder"]

_TRIES = 6
_MAGIC = slice(128, 132)  # PS3.10, 7.1


def classify_folder(source: Path, target: Path, service: ServiceClient) -> int:
    """Write a report and a page for each ECG below ``source`` as ``UID.dcm``, and leave all other files alone.

    Results have the same names whenever this runs, and those that are there are not made again.

    Returns:
        How many DICOM files got no result.
    """
    failures = 0
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if data[_MAGIC] != b"DICM":
            continue
        try:
            instance = read_instance(data)
            if not instance.is_result:
                _write_results(instance, target, service)
        except NoEcgError:
            continue
        except (UnusableInstanceError, DeliveryError) as error:
            failures += 1
            log("failed", level=logging.ERROR, reason=str(error))
    return failures


def _write_results(instance: Instance, target: Path, service: ServiceClient) -> None:
    names = [target / f"{instance.result_uid(kind)}.dcm" for kind in ("report", "page")]
    if all(name.exists() for name in names):
        return
    for attempt in range(_TRIES):
        try:
            results = results_of(instance, service)
            break
        except UnreachableError as error:
            if attempt == _TRIES - 1:
                raise
            time.sleep(error.retry_after_s or 2.0**attempt)
    for name, (_, content) in zip(names, results, strict=True):
        whole = name.with_suffix(".part")
        with whole.open("wb") as file:
            file.write(content)
            os.fsync(file.fileno())
        whole.replace(name)
