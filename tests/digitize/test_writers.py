"""The same recording as CSV and WFDB."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import wfdb

from digitize import Digitized, to_csv, to_wfdb


def test_csv_has_a_row_a_sample(plain_read: Digitized) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(plain_read.recording))))
    assert len(rows) == plain_read.signal_mv.shape[1]
    assert rows[100]["V6"] == ""
    assert float(rows[100]["II"]) == pytest.approx(float(plain_read.signal_mv[1, 100]), abs=6e-4)


def test_wfdb_reads_back(plain_read: Digitized, tmp_path: Path) -> None:
    for name, content in to_wfdb(plain_read.recording, "page_1").items():
        (tmp_path / name).write_bytes(content)
    record = wfdb.rdrecord(str(tmp_path / "page_1"))
    assert record.sig_name[:3] == ["I", "II", "III"]
    np.testing.assert_allclose(record.p_signal.T, plain_read.recording.signal_mv, atol=6e-4)


def test_wfdb_rejects_a_path_as_name(plain_read: Digitized) -> None:
    with pytest.raises(ValueError, match="letters"):
        to_wfdb(plain_read.recording, "../page")
