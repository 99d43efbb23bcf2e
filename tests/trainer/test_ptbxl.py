"""PTB-XL: read as PhysioNet ships it and as the packed part, and mapped to the four classes."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.signal_files import write_ptbxl
from trainer.classes import CLASS_NAMES
from trainer.errors import DatasetError
from trainer.ptbxl import is_ptbxl, read_ptbxl
from trainer.signals import recording_sha256
from trainer.statements import label_classes

PACKED = """ecg_id,patient_id,NORM,MI,STTC,CD,HYP,infarction_stage,statements
1,11,1,0,0,0,0,,NORM|r:SR
2,11,0,1,1,0,0,Stadium III,IMI|NST|f:NST|r:AFIB
3,12,0,0,0,1,0,,AVB|f:ABQRS
"""
ABNORMAL, OLD, ACUTE, NORMAL = CLASS_NAMES


def test_physionet_folder_gives_signals_in_mv(tmp_path: Path) -> None:
    signals = write_ptbxl(tmp_path)
    read = read_ptbxl(tmp_path)
    assert is_ptbxl(tmp_path)
    assert read.signal_mv.shape == (3, 12, 1000)
    assert read.signal_mv.dtype == np.float32
    np.testing.assert_allclose(read.signal_mv, signals, atol=0.001)


def test_physionet_folder_gives_labels(tmp_path: Path) -> None:
    write_ptbxl(tmp_path)
    read = read_ptbxl(tmp_path)
    assert (read.ids, read.patients) == (("1", "2", "3"), ("11", "11", "12"))
    assert read.statements == (
        frozenset({"NORM", "SR"}),
        frozenset({"MI", "IMI", "STTC", "NST", "AFIB"}),
        frozenset({"CD", "AVB", "ABQRS"}),
    )
    assert [CLASS_NAMES[row.argmax()] for row in read.classes] == [NORMAL, OLD, ABNORMAL]


def test_packed_part_reads_as_the_same_recordings(tmp_path: Path) -> None:
    write_ptbxl(tmp_path)
    read = read_ptbxl(tmp_path)
    signal_uv = np.round(read.signal_mv.astype(np.float64) * 1000).astype(np.int16)
    np.savez(tmp_path / "ptbxl-100hz.npz", signal_uv=signal_uv, ecg_id=np.array([1, 2, 3]))
    (tmp_path / "ptbxl_labels.csv").write_text(PACKED)
    (tmp_path / "ptbxl_database.csv").unlink()
    packed = read_ptbxl(tmp_path)
    assert packed.statements == read.statements
    assert [recording_sha256(one) for one in packed.signal_mv] == [recording_sha256(one) for one in read.signal_mv]


def test_limit_reads_fewer_recordings(tmp_path: Path) -> None:
    write_ptbxl(tmp_path)
    assert read_ptbxl(tmp_path, limit=2).ids == ("1", "3")


def test_unknown_statement_is_refused(tmp_path: Path) -> None:
    write_ptbxl(tmp_path)
    table = tmp_path / "ptbxl_database.csv"
    table.write_text(table.read_text().replace("'ABQRS'", "'NOVEL'"))
    with pytest.raises(DatasetError, match=r"ecg_id 3 has the scp_codes .*NOVEL"):
        read_ptbxl(tmp_path)


@pytest.mark.parametrize("missing", ["scp_statements.csv", "records100/00000/00002_lr.hea"])
def test_missing_file_is_named(missing: str, tmp_path: Path) -> None:
    write_ptbxl(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(DatasetError, match=f"{Path(missing).name}.* is missing"):
        read_ptbxl(tmp_path)


def test_missing_column_is_named(tmp_path: Path) -> None:
    write_ptbxl(tmp_path)
    table = tmp_path / "ptbxl_database.csv"
    table.write_text(table.read_text().replace("patient_id", "person"))
    with pytest.raises(DatasetError, match="lacks the column patient_id"):
        read_ptbxl(tmp_path)


def test_other_folder_is_refused(tmp_path: Path) -> None:
    assert not is_ptbxl(tmp_path)
    with pytest.raises(DatasetError, match=r"holds neither ptbxl_database\.csv nor"):
        read_ptbxl(tmp_path)


@pytest.mark.parametrize(
    ("statements", "stage", "expected"),
    [
        (("NORM", "SR"), "", (NORMAL,)),
        (("NORM", "PAC"), "", ()),
        (("NORM", "STACH"), "", ()),
        (("NORM", "PAC", "PVC"), "", (ABNORMAL,)),
        (("NORM", "CD", "IRBBB"), "", (ABNORMAL,)),
        (("SR",), "", (ABNORMAL,)),
        (("MI", "AMI", "AFIB"), "Stadium I", (ACUTE,)),
        (("MI", "AMI"), "Stadium II-III", (OLD,)),
        (("MI", "AMI"), "unknown", (OLD, ACUTE)),
    ],
)
def test_statements_map_to_classes(statements: Sequence[str], stage: str, expected: tuple[str, ...]) -> None:
    assert label_classes(statements, stage) == expected


def test_packed_part_reproduces_its_groups(shared_dir: Path) -> None:
    expected = {
        "normal": (NORMAL,),
        "arrhythmia": (ABNORMAL,),
        "other abnormal": (ABNORMAL,),
        "MI acute": (ACUTE,),
        "MI old": (OLD,),
        "MI stage unknown": (OLD, ACUTE),
        "normal form, rate or PAC": (),
    }
    with (shared_dir / "data/ptbxl_labels.csv").open(newline="") as handle:
        groups = {row["ecg_id"]: row["group"] for row in csv.DictReader(handle)}
    read = read_ptbxl(shared_dir / "data")
    mapped = [tuple(np.array(CLASS_NAMES)[row]) for row in read.classes]
    assert mapped == [expected[groups[name]] for name in read.ids]
    assert read.signal_mv.shape == (2620, 12, 1000)
    assert sum("MI" in codes for codes in read.statements) == 613
