"""A site's own recordings: WFDB and .npz with a table of labels, and what is wrong with either."""

from pathlib import Path

import numpy as np
import pytest

from synthetic.heartbeat import record_heart
from tests.trainer.signal_files import write_record
from trainer.classes import CLASS_NAMES
from trainer.errors import DatasetError
from trainer.site_signals import read_mapping, read_site_signals

MAPPING = """
[columns]
record = "file"
patient = "person"
label = "diagnosis"
separator = ";"

[labels]
"normal" = { classes = ["normal"], findings = ["NORM"] }
"AF" = { classes = ["abnormal_heartbeat"], findings = ["AFIB"] }
"old MI" = { classes = ["history_of_mi"], findings = ["MI"] }
"MI" = { classes = ["history_of_mi", "myocardial_infarction"], findings = ["MI"] }
"noise" = {}

[signals]
rename = { D2 = "II" }
"""
TABLE = "file,person,diagnosis\na,p1,normal\nb,p1,AF; old MI\nc,p2,noise\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder `records` of WFDB records, with `labels.csv` and `mapping.toml` beside it."""
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        write_record(tmp_path / "records", name, record_heart("normal", rng)[0], 500, units="uV")
    (tmp_path / "labels.csv").write_text(TABLE)
    (tmp_path / "mapping.toml").write_text(MAPPING)
    return tmp_path


def test_wfdb_records_are_read_with_their_labels(site: Path) -> None:
    read = read_site_signals(site / "records", site / "labels.csv", read_mapping(site / "mapping.toml"))
    assert (read.ids, read.patients) == (("a", "b"), ("p1", "p1"))
    assert read.statements == (frozenset({"NORM"}), frozenset({"AFIB", "MI"}))
    assert [CLASS_NAMES[row.argmax()] for row in read.classes] == ["normal", "history_of_mi"]
    expected = record_heart("normal", np.random.default_rng(0))[0][:, ::5]
    np.testing.assert_allclose(read.signal_mv[0, :, 20:-20], expected[:, 20:-20], atol=0.05)


def test_npz_is_read_in_its_own_order_of_leads(site: Path) -> None:
    signal_mv = np.random.default_rng(0).normal(size=(2, 2, 1000)).astype(np.float32)
    np.savez(site / "site.npz", signal_mv=signal_mv, ids=np.array(["a", "b"]), rate_hz=100)
    (site / "labels.csv").write_text("file,person,diagnosis\nb,p,normal\n")
    (site / "mapping.toml").write_text(MAPPING + 'leads = ["V1", "D2"]\n')
    read = read_site_signals(site / "site.npz", site / "labels.csv", read_mapping(site / "mapping.toml"))
    np.testing.assert_allclose(read.signal_mv[0, 6], signal_mv[1, 0])
    np.testing.assert_allclose(read.signal_mv[0, 1], signal_mv[1, 1])
    assert np.isnan(read.signal_mv[0, 0]).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[columns]", "[columns", "is not TOML"),
        ('label = "diagnosis"', "", r"columns\.label: Field required"),
        ('["normal"]', '["healthy"]', r"labels\.normal: unknown class healthy"),
        ("separator", "delimiter", r"columns\.delimiter: Extra inputs"),
    ],
)
def test_mapping_error_names_its_place(old: str, new: str, message: str, site: Path) -> None:
    (site / "mapping.toml").write_text(MAPPING.replace(old, new, 1))
    with pytest.raises(DatasetError, match=message):
        read_mapping(site / "mapping.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("noise", "artefact", "c has the label 'artefact'; the mapping knows 'normal', 'AF'"),
        ("person", "patient", "lacks the column person, which the mapping names"),
        ("\na,", "\nz,", r"z: z\.hea is missing"),
    ],
)
def test_table_error_names_row_or_column(old: str, new: str, message: str, site: Path) -> None:
    (site / "labels.csv").write_text(TABLE.replace(old, new, 1))
    with pytest.raises(DatasetError, match=message):
        read_site_signals(site / "records", site / "labels.csv", read_mapping(site / "mapping.toml"))


def test_npz_without_signals_is_refused(site: Path) -> None:
    np.savez(site / "site.npz", ids=np.array(["a"]), rate_hz=100)
    with pytest.raises(DatasetError, match="expected ids, signal_mv or signal_uv, and rate_hz"):
        read_site_signals(site / "site.npz", site / "labels.csv", read_mapping(site / "mapping.toml"))


def test_unreadable_recording_is_named(site: Path) -> None:
    write_record(site / "records", "b", record_heart("normal", np.random.default_rng(0))[0][:, :500], 500)
    with pytest.raises(DatasetError, match=r"b: the recording has 1\.00 s"):
        read_site_signals(site / "records", site / "labels.csv", read_mapping(site / "mapping.toml"))
