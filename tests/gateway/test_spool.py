"""The spool: nothing is lost, nothing is made twice."""

from pathlib import Path

import pytest

from gateway.errors import StartupError
from gateway.spool import Job, Spool


def taken(spool: Spool, kind: str = "classify") -> Job:
    job = spool.take(kind)  # type: ignore[arg-type]
    assert job is not None
    return job


def test_jobs_survive_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.add("a", b"1")
    assert spool.add("b", b"2")
    spool.finish(taken(spool), [("dicom", b"report"), ("hl7", b"message")])
    spool.close()
    spool = Spool(tmp_path)
    assert spool.waiting() == {"classify": 1, "dicom": 1, "hl7": 1}
    assert taken(spool, "dicom").data == b"report"
    assert taken(spool).key == "b"
    spool.close()


def test_ecg_is_taken_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.add("a", b"1")
    assert not spool.add("a", b"1")
    spool.finish(taken(spool))
    assert not spool.add("a", b"1")
    assert spool.waiting() == {}
    spool.close()


def test_postponed_job_lets_others_pass(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add("a", b"1")
    spool.add("b", b"2")
    spool.postpone(taken(spool), 60)
    assert taken(spool).key == "b"
    spool.finish(taken(spool))
    assert spool.take("classify") is None
    spool.close()


def test_postponed_job_comes_first_when_due(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add("a", b"1")
    spool.add("b", b"2")
    spool.postpone(taken(spool), 0)
    assert (taken(spool).key, taken(spool).attempts) == ("a", 1)
    spool.close()


def test_second_gateway_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(StartupError, match="folder of its own"):
        Spool(tmp_path)
    spool.close()


def test_only_its_user_reads_the_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert (tmp_path / "spool" / "spool.sqlite").stat().st_mode & 0o077 == 0
    spool.close()
