"""What the gateway works with, on loopback: Orthanc, dcmtk's tools, and the gateway as its operator starts it."""

import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from pydicom import Dataset, config, dcmread
from pydicom.uid import generate_uid

from benchmarks.server_process import free_port
from tests.conftest import REPOSITORY
from tests.service import serving

__all__ = [
    "CANARY_ID",
    "CANARY_NAME",
    "HEAD_BYTES",
    "LIMIT_S",
    "TOOLS",
    "Archive",
    "Gateway",
    "Orthanc",
    "answer_of",
    "damaged",
    "ended",
    "in_a_study",
    "storescu",
    "wait_until",
    "warnings_of",
]

LIMIT_S = 300.0
"""For what only a broken program never does: a busy machine is no failure."""

# Not those of pynetdicom, which has programs of the same names.
PATH = os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if not folder.startswith(sys.prefix))
TOOLS = {name: shutil.which(name, path=PATH) or "" for name in ("Orthanc", "storescu", "storescp", "dciodvfy")}
DICOM_WEB = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
EXAMPLE = REPOSITORY / "docker"
CANARY_NAME, CANARY_ID = "CANARYNAME^ZOË", "CANARYID77"
HEAD_BYTES = 1500
"""What an object has before its pixels, more or less."""


def wait_until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds; servers are asked ten times a second."""
    serving.wait_until(condition, LIMIT_S, 0.1)


def in_a_study(data: bytes, **changes: object) -> bytes:
    """The object in a new study of a person whose name must appear nowhere."""
    dataset = dcmread(io.BytesIO(data))
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName, dataset.PatientID, dataset.PatientSex = CANARY_NAME, CANARY_ID, "F"
    dataset.PatientBirthDate = "19500102"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20261129", "120000", "S1"
    dataset.AccessionNumber, dataset.Modality, dataset.ReferringPhysicianName = "A1", "ECG", "Doe^Jane"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    buffer = io.BytesIO()
    with config.disable_value_validation():
        for name, value in changes.items():
            setattr(dataset, name, value)
        dataset.save_as(buffer)
    return buffer.getvalue()


def damaged(data: bytes, within: int, chance: np.random.Generator) -> bytes:
    """The same with up to seven of the first ``within`` bytes replaced."""
    changed = bytearray(data)
    for place in chance.integers(0, min(within, len(data)), int(chance.integers(1, 8))):
        changed[place] = chance.integers(256)
    return bytes(changed)


def storescu(port: int, *files: Path, called: str = "ECG", calling: str = "CART", options: tuple[str, ...] = ()) -> int:
    """Send files with dcmtk, each in the transfer syntax that it has; give the exit status."""
    (syntax,) = {"-xy" if dcmread(file).file_meta.TransferSyntaxUID.is_compressed else "-xe" for file in files}
    command = [
        TOOLS["storescu"],
        syntax,
        "-aet",
        calling,
        "-aec",
        called,
        *options,
        "127.0.0.1",
        str(port),
        *map(str, files),
    ]
    return subprocess.run(command, capture_output=True, check=False, timeout=LIMIT_S).returncode


def warnings_of(dataset: Dataset, tmp_path: Path) -> list[str]:
    """What dciodvfy complains about."""
    file = tmp_path / f"{dataset.SOPInstanceUID}.dcm"
    dataset.save_as(file)
    done = subprocess.run([TOOLS["dciodvfy"], file], capture_output=True, text=True, check=False, timeout=LIMIT_S)
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if line.startswith(("Error", "Warning", "Abort"))]


class Archive:
    """What is in an Orthanc, by its REST interface."""

    def __init__(self, http_port: int) -> None:
        self.http_port = http_port
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{http_port}", timeout=LIMIT_S)

    def instances(self, **of: str) -> list[str]:
        """Ids of the instances with these attributes."""
        found = self.client.post("/tools/find", json={"Level": "Instance", "Query": of})
        return list(found.raise_for_status().json())

    def dataset(self, instance: str) -> Dataset:
        """One instance, as it was stored."""
        return dcmread(io.BytesIO(self.client.get(f"/instances/{instance}/file").content))

    def study_of(self, instance: str) -> str:
        """The UID of the study that an instance is in."""
        return str(self.client.get(f"/instances/{instance}/study").json()["MainDicomTags"]["StudyInstanceUID"])

    def results(self, study_uid: str) -> dict[str, Dataset]:
        """The SR and the OT instance of a study, once it has both."""
        found: dict[str, list[str]] = {}

        def complete() -> bool:
            for modality in ("SR", "OT"):
                found[modality] = self.instances(StudyInstanceUID=study_uid, Modality=modality)
            return all(found.values())

        wait_until(complete)
        assert {len(ids) for ids in found.values()} == {1}
        return {modality: self.dataset(ids[0]) for modality, ids in found.items()}


class Orthanc(Archive):
    """A real archive, which sends each ECG that it gets on to the gateway."""

    def __init__(self, folder: Path, gateway_port: int) -> None:
        super().__init__(free_port())
        self.port = free_port()
        self.archive = f"dicom://ORTHANC@127.0.0.1:{self.port}"
        self.stow = f"http://127.0.0.1:{self.http_port}/dicom-web"
        settings = json.loads((EXAMPLE / "orthanc.json").read_text()) | {
            "DicomPort": self.port,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "DicomCheckModalityHost": True,
            "DicomAlwaysAllowEcho": False,
            "DicomAlwaysAllowStore": False,
            "DicomModalities": {
                "gateway": ["ECG", "127.0.0.1", gateway_port],
                "cart": ["CART", "127.0.0.1", free_port()],
            },
            "StorageDirectory": str(folder),
            "IndexDirectory": str(folder),
            "LuaScripts": [str(EXAMPLE / "orthanc.lua")],
            "Plugins": [DICOM_WEB],
            "StableAge": 1,
        }
        self._configuration = folder / "orthanc.json"
        self._configuration.write_text(json.dumps(settings))
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with what it stored before."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([TOOLS["Orthanc"], self._configuration], stdout=log, stderr=log)
        wait_until(self._answers)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT_S)

    def _answers(self) -> bool:
        try:
            return self.client.get("/system").is_success
        except httpx.TransportError:
            return False


class Gateway:
    """The gateway as a process of its own, with the settings of the test."""

    def __init__(self, folder: Path, **settings: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ECG_")}
        given = {"port": "0", "spool_dir": str(folder / "spool"), **settings}
        self._environment = inherited | {f"ECG_GATEWAY_{name.upper()}": value for name, value in given.items()}
        self._log, self._spool = folder / "gateway.log", folder / "spool" / "spool.sqlite"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def log(self) -> str:
        """All it wrote to stderr so far, over all its starts."""
        return self._log.read_text()

    def start(self) -> None:
        """Start it and wait until it listens."""
        before = len(self.log) if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", "gateway"], env=self._environment, stderr=log, cwd=REPOSITORY
            )
        wait_until(lambda: process.poll() is not None or "event=running" in self.log[before:])
        running = re.search(r"event=running port=(\d+)", self.log[before:])
        assert running, self.log
        self.port = int(running.group(1))

    def stop(self) -> int:
        """Send SIGTERM and give its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(LIMIT_S)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT_S)

    def left(self) -> list[tuple[str, bytes]]:
        """Stop it, and give kind and data of the jobs that are left."""
        assert self.stop() == 0
        with closing(sqlite3.connect(self._spool)) as spool:
            return list(spool.execute("SELECT kind, data FROM jobs"))


@contextmanager
def ended(*programs: Orthanc | Gateway) -> Iterator[None]:
    """End these programs with the block, whatever happens."""
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            if isinstance(program, Orthanc):
                program.client.close()


def answer_of(report: Dataset) -> dict[str, Any]:
    """What a report says: its coded finding, and its words."""
    measured, words = report.ContentSequence[-2].ContentSequence[0], report.ContentSequence[-1]
    findings = [item.ConceptCodeSequence[0] for item in measured.ContentSequence if item.ValueType == "CODE"]
    return {
        "findings": [f"{code.CodeValue} {code.CodingSchemeDesignator}" for code in findings],
        "numbers": {
            item.ConceptNameCodeSequence[0].CodeMeaning: float(item.MeasuredValueSequence[0].NumericValue)
            for item in measured.ContentSequence
            if item.ValueType == "NUM"
        },
        "text": words.ContentSequence[0].TextValue,
    }
