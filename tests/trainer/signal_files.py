"""Recordings as files: WFDB records, and a folder like PhysioNet's PTB-XL."""

from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from synthetic.heartbeat import record_heart
from trainer.ptbxl import read_ptbxl
from trainer.signals import SignalSet

LEAD_NAMES = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")

_DATABASE = (
    "ecg_id,patient_id,scp_codes,infarction_stadium1,filename_lr",
    "1,11.0,\"{'NORM': 100.0, 'SR': 0.0}\",,records100/00000/00001_lr",
    "2,11.0,\"{'IMI': 80.0, 'NST_': 50.0, 'AFIB': 0.0}\",Stadium III,records100/00000/00002_lr",
    "3,12.0,\"{'1AVB': 100.0, 'ABQRS': 0.0}\",,records100/00000/00003_lr",
)
_STATEMENTS = (
    ",description,diagnostic,form,rhythm,diagnostic_class,diagnostic_subclass",
    "NORM,normal ECG,1.0,,,NORM,NORM",
    "IMI,inferior myocardial infarction,1.0,,,MI,IMI",
    "NST_,non-specific ST changes,1.0,1.0,,STTC,NST_",
    "1AVB,first degree AV block,1.0,,,CD,_AVB",
    "ABQRS,abnormal QRS,,1.0,,,",
    "AFIB,atrial fibrillation,,,1.0,,",
    "SR,sinus rhythm,,,1.0,,",
)


def write_record(folder: Path, name: str, signal_mv: NDArray[np.float64], rate_hz: float, *, units: str = "mV") -> None:
    """Write (leads, samples) under the first of `LEAD_NAMES`."""
    folder.mkdir(parents=True, exist_ok=True)
    leads = len(signal_mv)
    scale = 1000.0 if units == "uV" else 1.0
    wfdb.wrsamp(
        name,
        fs=rate_hz,
        units=[units] * leads,
        sig_name=list(LEAD_NAMES[:leads]),
        p_signal=signal_mv.T * scale,
        fmt=["16"] * leads,
        write_dir=str(folder),
    )


def write_ptbxl(folder: Path) -> NDArray[np.float64]:
    """Write three recordings of two patients; gives their signals (3, 12, 1000) in mV at 100 Hz."""
    rng = np.random.default_rng(0)
    signals = np.stack([record_heart("normal", rng)[0][:, ::5] for _ in range(3)])
    for number, signal_mv in enumerate(signals, start=1):
        write_record(folder / "records100/00000", f"{number:05d}_lr", signal_mv, 100)
    (folder / "ptbxl_database.csv").write_text("\n".join(_DATABASE) + "\n")
    (folder / "scp_statements.csv").write_text("\n".join(_STATEMENTS) + "\n")
    return signals


_PACKED_KINDS = {
    "normal": ("", "r:SR", (1, 0, 0, 0, 0)),
    "history_of_mi": ("Stadium III", "IMI|r:SR", (0, 1, 0, 0, 0)),
    "myocardial_infarction": ("Stadium I", "AMI|f:STD", (0, 1, 1, 0, 0)),
    "abnormal_heartbeat": ("", "r:AFIB|f:PVC", (0, 0, 0, 1, 0)),
}
"""Stage, statements and the columns of the five superclasses, by the kind of made-up heart."""


def write_packed_ptbxl(folder: Path, count: int) -> SignalSet:
    """Write ``count`` made-up recordings, two of each patient, as the packed part of PTB-XL; give them as read."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    kinds = [list(_PACKED_KINDS)[number // 2 % len(_PACKED_KINDS)] for number in range(count)]
    signal_uv = np.stack([np.round(1000 * record_heart(kind, rng)[0][:, ::5]) for kind in kinds]).astype(np.int16)
    np.savez(folder / "ptbxl-100hz.npz", ecg_id=np.arange(count), signal_uv=signal_uv)
    rows = ["ecg_id,patient_id,infarction_stage,statements,NORM,MI,STTC,CD,HYP"]
    for number, kind in enumerate(kinds):
        stage, statements, columns = _PACKED_KINDS[kind]
        rows.append(f"{number},{number // 2},{stage},{statements},{','.join(map(str, columns))}")
    (folder / "ptbxl_labels.csv").write_text("\n".join(rows) + "\n")
    return read_ptbxl(folder)
