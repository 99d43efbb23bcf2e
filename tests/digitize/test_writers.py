"""The same recording as JSON, CSV and WFDB."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import wfdb

from digitize import Digitized, to_csv, to_json, to_wfdb


def test_json_has_samples_of_printed_spans(plain_read: Digitized) -> None:
    page = json.loads(json.dumps(to_json(plain_read, places=True)))
    lead = page["leads"][7]
    assert (lead["name"], lead["start_s"]) == ("V2", 5.0)
    assert len(lead["signal_mv"]) == len(lead["x_px"]) == 1250


def test_csv_has_a_row_a_sample(plain_read: Digitized) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(plain_read))))
    assert len(rows) == plain_read.signal_mv.shape[1]
    assert rows[100]["V6"] == ""
    assert float(rows[100]["II"]) == pytest.approx(float(plain_read.signal_mv[1, 100]), abs=6e-4)


def test_wfdb_reads_back(plain_read: Digitized, tmp_path: Path) -> None:
    for name, content in to_wfdb(plain_read, "page_1").items():
        (tmp_path / name).write_bytes(content)
    record = wfdb.rdrecord(str(tmp_path / "page_1"))
    assert record.sig_name[:3] == ["I", "II", "III"]
    np.testing.assert_allclose(record.p_signal.T, plain_read.signal_mv, atol=6e-4)


def test_wfdb_rejects_a_path_as_name(plain_read: Digitized) -> None:
    with pytest.raises(ValueError, match="letters"):
        to_wfdb(plain_read, "../page")
