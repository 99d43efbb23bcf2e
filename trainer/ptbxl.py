"""PTB-XL (Wagner et al. 2020, CC BY 4.0) as labelled recordings: from PhysioNet's files, or from a packed part of it.

The packed part is `ptbxl-100hz.npz` (or `.npz.xz`) with `ptbxl_labels.csv`.
"""

import ast
import csv
import io
import lzma
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_preproc.recording import RECORDED_LEADS
from trainer.errors import DatasetError
from trainer.signals import SignalSet, class_row, conform, spread
from trainer.statements import SUPERCLASSES, label_classes
from trainer.wfdb_record import read_wfdb

__all__ = ["is_ptbxl", "read_ptbxl"]

_PACKED = ("ptbxl-100hz.npz", "ptbxl-100hz.npz.xz")
_PACKED_LABELS = "ptbxl_labels.csv"
_DATABASE, _STATEMENTS = "ptbxl_database.csv", "scp_statements.csv"


def is_ptbxl(folder: Path) -> bool:
    """Say whether `read_ptbxl` knows the files of ``folder``."""
    return (folder / _DATABASE).is_file() or any((folder / name).is_file() for name in _PACKED)


def read_ptbxl(folder: Path, limit: int | None = None) -> SignalSet:
    """Read PTB-XL at 100 Hz; 48 kB a recording.

    ``folder`` holds PhysioNet's `ptbxl_database.csv`, `scp_statements.csv` and `records100/`, or the packed part.
    ``limit`` recordings are chosen evenly.

    Raises:
        DatasetError: a file is missing, damaged, or lacks a column.
    """
    if (folder / _DATABASE).is_file():
        return _physionet(folder, limit)
    packed = next((folder / name for name in _PACKED if (folder / name).is_file()), None)
    if packed is None:
        raise DatasetError(f"{folder} holds neither {_DATABASE} nor {' or '.join(_PACKED)}; name PTB-XL's own folder")
    return _packed(packed, folder / _PACKED_LABELS, limit)


def _packed(signals: Path, labels: Path, limit: int | None) -> SignalSet:
    rows = {row["ecg_id"]: row for row in _rows(labels, ("ecg_id", "patient_id", "infarction_stage", "statements"))}
    content = lzma.decompress(signals.read_bytes()) if signals.suffix == ".xz" else signals.read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        ids, signal_uv = [str(number) for number in stored["ecg_id"]], stored["signal_uv"]
    chosen = spread(len(ids), limit)
    ids = [ids[place] for place in chosen]
    if missing := [name for name in ids if name not in rows]:
        raise DatasetError(f"{labels} lacks the ecg_id {', '.join(missing[:3])} of {signals.name}")
    statements = [_packed_statements(rows[name]) for name in ids]
    stages = [rows[name]["infarction_stage"] for name in ids]
    return _signal_set(
        ids,
        [rows[name]["patient_id"] for name in ids],
        signal_uv[chosen].astype(np.float32) / np.float32(1000),
        statements,
        stages,
    )


def _packed_statements(row: Mapping[str, str]) -> frozenset[str]:
    codes = {code.rpartition(":")[2] for code in row["statements"].split("|") if code}
    return frozenset(codes | {name for name in SUPERCLASSES if row[name] == "1"})


def _physionet(folder: Path, limit: int | None) -> SignalSet:
    meaning = _meanings(folder / _STATEMENTS)
    columns = ("ecg_id", "patient_id", "scp_codes", "infarction_stadium1", "filename_lr")
    rows = list(_rows(folder / _DATABASE, columns))
    rows = [rows[place] for place in spread(len(rows), limit)]
    signal_mv = np.empty((len(rows), len(RECORDED_LEADS), 1000), np.float32)
    for place, row in enumerate(tqdm(rows, desc="read recordings", unit="recording", disable=None)):
        signal_mv[place] = conform(*read_wfdb(folder / row["filename_lr"]))
    return _signal_set(
        [row["ecg_id"] for row in rows],
        [row["patient_id"].removesuffix(".0") for row in rows],
        signal_mv,
        [_physionet_statements(row, meaning) for row in rows],
        [row["infarction_stadium1"] for row in rows],
    )


def _meanings(table: Path) -> dict[str, frozenset[str]]:
    """What each statement of PTB-XL counts as: its diagnostic class and subclass, and itself where form or rhythm."""
    meanings = {}
    for row in _rows(table, ("diagnostic_class", "diagnostic_subclass", "form", "rhythm")):
        code = next(iter(row.values()))
        codes = {row["diagnostic_class"], row["diagnostic_subclass"]}
        if row["form"] or row["rhythm"]:
            codes.add(code)
        meanings[code] = frozenset(name.strip("_") for name in codes if name)
    return meanings


def _physionet_statements(row: Mapping[str, str], meanings: Mapping[str, frozenset[str]]) -> frozenset[str]:
    try:
        codes = ast.literal_eval(row["scp_codes"])
        return frozenset().union(*(meanings[code] for code in codes))
    except (ValueError, SyntaxError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{_DATABASE}: ecg_id {row['ecg_id']} has the scp_codes {row['scp_codes']!r}; expected a dictionary of "
            f"statements that {_STATEMENTS} lists"
        ) from error


def _signal_set(
    ids: list[str],
    patients: list[str],
    signal_mv: NDArray[np.float32],
    statements: list[frozenset[str]],
    stages: list[str],
) -> SignalSet:
    classes = [class_row(label_classes(codes, stage)) for codes, stage in zip(statements, stages, strict=True)]
    return SignalSet("PTB-XL", tuple(ids), tuple(patients), signal_mv, tuple(statements), np.array(classes))


def _rows(table: Path, columns: Collection[str]) -> Iterator[dict[str, str]]:
    try:
        handle = table.open(newline="", encoding="utf-8-sig")
    except FileNotFoundError:
        raise DatasetError(f"{table} is missing") from None
    with handle:
        rows = csv.DictReader(handle)
        if missing := sorted(set(columns) - set(rows.fieldnames or ())):
            raise DatasetError(f"{table} lacks the column {', '.join(missing)}")
        yield from rows
