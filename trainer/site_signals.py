"""A site's labelled recordings: WFDB records or an `.npz`, a CSV of labels, and a mapping that explains both."""

import csv
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tqdm import tqdm

from shared_preproc.recording import RECORDED_LEADS
from trainer.classes import CLASS_NAMES
from trainer.errors import DatasetError
from trainer.signals import SignalSet, class_row, conform, spread
from trainer.wfdb_record import read_wfdb

__all__ = ["SiteMapping", "read_mapping", "read_site_signals"]

_ABNORMAL, _OLD, _ACUTE, _NORMAL = CLASS_NAMES

Leads = dict[str, NDArray[np.float64]]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Columns(_Strict):
    record: str
    """Path of a WFDB record under the data folder, without `.hea`; or an id of the `.npz`."""
    label: str
    patient: str | None = None
    """None: each record is a patient of its own."""
    separator: str | None = None
    """Between several labels of one record."""


class _Meaning(_Strict):
    classes: tuple[str, ...] = ()
    """Which of the four classes is a right answer."""
    findings: tuple[str, ...] = ()


class _Signals(_Strict):
    rate_hz: Annotated[float, Field(gt=0)] | None = None
    """Of an `.npz` that does not say so itself."""
    leads: tuple[str, ...] = tuple(RECORDED_LEADS)
    """Order of the leads in an `.npz`."""
    rename: dict[str, str] = {}
    """Lead names of the files to ours."""


class SiteMapping(_Strict):
    """How a site's table and files are read."""

    columns: _Columns
    labels: dict[str, _Meaning]
    """By label. A label without class and finding leaves its records out."""
    signals: _Signals = _Signals()


@dataclass(frozen=True, eq=False)
class _Labelled:
    record: str
    patient: str
    statements: frozenset[str]
    classes: NDArray[np.bool_]


def read_mapping(path: Path) -> SiteMapping:
    """Read a mapping file (TOML).

    Raises:
        DatasetError: it is missing, is not TOML, or says something else than a mapping does.
    """
    try:
        mapping = SiteMapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing") from None
    except tomllib.TOMLDecodeError as error:
        raise DatasetError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DatasetError(f"{path}: {place}: {first['msg']}; docs/validation.md shows a mapping") from error
    for label, meaning in mapping.labels.items():
        try:
            class_row(meaning.classes)
        except DatasetError as error:
            raise DatasetError(f"{path}: labels.{label}: {error}") from None
    return mapping


def read_site_signals(data: Path, labels_csv: Path, mapping: SiteMapping, limit: int | None = None) -> SignalSet:
    """Read the recordings that ``labels_csv`` lists; ``limit`` of them, chosen evenly.

    ``data`` is a folder of WFDB records, or an `.npz` with ``ids`` (n,), ``signal_mv`` or ``signal_uv``
    (n, leads, samples), and ``rate_hz`` unless the mapping gives it.

    Raises:
        DatasetError: a table, label or recording cannot be read; the message names it.
    """
    rows = list(_rows(labels_csv, mapping))
    if not rows:
        raise DatasetError(f"{labels_csv} has no row to validate on")
    rows = [rows[place] for place in spread(len(rows), limit)]
    recordings = _npz(data, rows, mapping.signals) if data.suffix == ".npz" else _wfdb(data, rows)
    signal_mv = np.empty((len(rows), len(RECORDED_LEADS), 1000), np.float32)
    bar = tqdm(recordings, total=len(rows), desc="read recordings", unit="recording", disable=None)
    for place, (samples, rate_hz, units) in enumerate(bar):
        ours = {name: mapping.signals.rename.get(name, name) for name in samples}
        try:
            signal_mv[place] = conform(
                {ours[name]: signal for name, signal in samples.items()},
                rate_hz,
                {ours[name]: unit for name, unit in units.items()},
            )
        except DatasetError as error:
            raise DatasetError(f"{rows[place].record}: {error}") from None
    return SignalSet(
        data.stem,
        tuple(row.record for row in rows),
        tuple(row.patient for row in rows),
        signal_mv,
        tuple(row.statements for row in rows),
        np.stack([row.classes for row in rows]),
    )


def _rows(labels_csv: Path, mapping: SiteMapping) -> Iterator[_Labelled]:
    columns = mapping.columns
    wanted = {columns.record, columns.label, *([columns.patient] if columns.patient else [])}
    try:
        handle = labels_csv.open(newline="", encoding="utf-8-sig")
    except FileNotFoundError:
        raise DatasetError(f"{labels_csv} is missing") from None
    with handle:
        table = csv.DictReader(handle)
        if missing := sorted(wanted - set(table.fieldnames or ())):
            raise DatasetError(f"{labels_csv} lacks the column {', '.join(missing)}, which the mapping names")
        for row in table:
            meanings = [_meaning(label, row[columns.record], mapping) for label in _split(row[columns.label], columns)]
            if all(meaning.classes or meaning.findings for meaning in meanings):
                yield _Labelled(
                    row[columns.record],
                    row[columns.patient] if columns.patient else row[columns.record],
                    frozenset(code for meaning in meanings for code in meaning.findings),
                    class_row(_gravest({name for meaning in meanings for name in meaning.classes})),
                )


def _split(label: str, columns: _Columns) -> list[str]:
    return [part.strip() for part in (label.split(columns.separator) if columns.separator else [label])]


def _meaning(label: str, record: str, mapping: SiteMapping) -> _Meaning:
    try:
        return mapping.labels[label]
    except KeyError:
        known = ", ".join(repr(name) for name in mapping.labels)
        raise DatasetError(
            f"{record} has the label {label!r}; the mapping knows {known}: add it under [labels]"
        ) from None


def _gravest(names: set[str]) -> tuple[str, ...]:
    """Of several labels' classes: infarction before another abnormality before normal."""
    infarction = names & {_OLD, _ACUTE}
    return tuple(infarction) if infarction else (_ABNORMAL,) if _ABNORMAL in names else tuple(names)


def _wfdb(folder: Path, rows: list[_Labelled]) -> Iterator[tuple[Leads, float, Mapping[str, str]]]:
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder of WFDB records, nor an .npz")
    return (read_wfdb(folder / row.record) for row in rows)


def _npz(path: Path, rows: list[_Labelled], signals: _Signals) -> Iterator[tuple[Leads, float, Mapping[str, str]]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as .npz: {error}") from error
    unit = next((unit for unit in ("mV", "uV") if f"signal_{unit.lower()}" in arrays), None)
    rate_hz = float(arrays["rate_hz"]) if "rate_hz" in arrays else signals.rate_hz
    if "ids" not in arrays or unit is None or rate_hz is None:
        raise DatasetError(f"{path} holds {', '.join(arrays)}; expected ids, signal_mv or signal_uv, and rate_hz")
    values, expected = arrays[f"signal_{unit.lower()}"], (len(arrays["ids"]), len(signals.leads))
    if values.ndim != 3 or values.shape[:2] != expected:  # noqa: PLR2004 - recordings, leads and samples
        raise DatasetError(
            f"{path}: signals of the shape {values.shape}; expected {expected[0]} ids x {expected[1]} leads x samples"
        )
    place = {str(name): number for number, name in enumerate(arrays["ids"].tolist())}
    if missing := [row.record for row in rows if row.record not in place]:
        raise DatasetError(f"{path} lacks {', '.join(missing[:3])}, which the labels list")
    units = dict.fromkeys(signals.leads, unit)
    return (
        (dict(zip(signals.leads, values[place[row.record]].astype(np.float64), strict=True)), rate_hz, units)
        for row in rows
    )
