"""WFDB records, MUSE XML and Philips XML of known signals."""

import base64
import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from shared_preproc.recording import RECORDED_LEADS

Samples = NDArray[np.int16]

RATE_HZ = 500
MUSE_UV = 4.88


def stored(samples: int = 5000) -> Samples:
    """Twelve leads that obey Einthoven and Goldberger as far as whole numbers can: (12, samples)."""
    time_s = np.arange(samples) / RATE_HZ
    first, second, *chest = (
        np.round(100 * np.sin(2 * np.pi * (1 + lead / 8) * time_s) + 20 * lead) for lead in range(8)
    )
    limb = [first, second, second - first, -np.floor((first + second) / 2), first - second / 2, second - first / 2]
    return np.round(np.stack([*limb, *chest])).astype(np.int16)


def wfdb_files(raw: Samples, rate_hz: int = RATE_HZ) -> dict[str, bytes]:
    """The two files of a record of ``raw`` microvolts, in millivolt."""
    with tempfile.TemporaryDirectory() as folder:
        wfdb.wrsamp(
            "record",
            fs=rate_hz,
            units=["mV"] * 12,
            sig_name=[lead.upper() for lead in RECORDED_LEADS],
            p_signal=raw.T / 1000,
            fmt=["16"] * 12,
            adc_gain=[1000.0] * 12,
            baseline=[0] * 12,
            write_dir=folder,
        )
        return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip file of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return buffer.getvalue()


def muse_xml(raw: Samples, doctype: str = '<!DOCTYPE RestingECG SYSTEM "restecg.dtd">') -> bytes:
    """Eight leads of ``raw``, one unit being 4.88 µV, behind a median beat."""
    leads = "".join(
        f"<LeadData><LeadID>{lead}</LeadID><LeadAmplitudeUnitsPerBit>{MUSE_UV}</LeadAmplitudeUnitsPerBit>"
        f"<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits><LeadSampleSize>2</LeadSampleSize>"
        f"<WaveFormData>{base64.b64encode(row.astype('<i2').tobytes()).decode()}</WaveFormData></LeadData>"
        for lead, row in zip(RECORDED_LEADS, raw, strict=True)
        if lead in {"I", "II"} or lead.startswith("V")
    )
    waveform = "<Waveform><WaveformType>{}</WaveformType><SampleBase>500</SampleBase><SampleExponent>0</SampleExponent>"
    return (
        f'<?xml version="1.0" encoding="ISO-8859-1"?>{doctype}<RestingECG><PatientDemographics>'
        f"<PatientLastName>CANARY</PatientLastName></PatientDemographics>{waveform.format('Median')}</Waveform>"
        f"{waveform.format('Rhythm')}{leads}</Waveform></RestingECG>"
    ).encode("iso-8859-1")


def philips_xml(raw: Samples, version: str = "1.04", prologue: str = "") -> bytes:
    """Twelve leads of ``raw`` as Philips stores them: limb leads as residuals, XLI compression, 5 µV a unit."""
    residuals = raw.astype(np.int64)
    first, second = residuals[0], residuals[1]
    third, right, left, foot = residuals[2:6].copy()
    residuals[2] = second - first - third
    residuals[3] = -right - (first + second) // 2
    residuals[4] = (first - third) // 2 - left
    residuals[5] = (second + third) // 2 - foot
    packed = base64.b64encode(b"".join(_xli(row) for row in residuals)).decode()
    milliseconds = raw.shape[1] * 1000 // RATE_HZ
    return (
        f'<?xml version="1.0" encoding="UTF-16"?>{prologue}<restingecgdata xmlns="http://www3.medical.philips.com">'
        f"<documentinfo><documenttype>PhilipsECG</documenttype><documentversion>{version}</documentversion>"
        f"</documentinfo><dataacquisition><signalcharacteristics><samplingrate>{RATE_HZ}</samplingrate>"
        f"<signalresolution>5</signalresolution><acquisitiontype>STD-12</acquisitiontype>"
        f"<numberchannelsallocated>12</numberchannelsallocated></signalcharacteristics></dataacquisition>"
        f'<waveforms><parsedwaveforms dataencoding="Base64" compression="XLI" durationperchannel="{milliseconds}"'
        f' numberofleads="12" leadlabels="I II III aVR aVL aVF V1 V2 V3 V4 V5 V6">{packed}</parsedwaveforms>'
        f"</waveforms></restingecgdata>"
    ).encode("utf-16")


def _xli(row: NDArray[np.int64]) -> bytes:
    """One lead: second differences, high bytes before low bytes, each byte one 10-bit code of LZW."""
    corrections = 2 * row[1:-1] - row[:-2] - row[2:]
    deltas = np.concatenate([row[:2], corrections[1:] + 64, [64]]).astype(np.int16)
    both = deltas.view(np.uint16)
    codes = np.concatenate([both >> 8, both & 0xFF])
    bits = "".join(f"{code:010b}" for code in codes)
    bits += "0" * (-len(bits) % 8)
    chunk = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return len(chunk).to_bytes(4, "little") + b"\0\0" + int(corrections[0]).to_bytes(2, "little", signed=True) + chunk
