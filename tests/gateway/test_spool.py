"""The spool: nothing is lost, nothing is made twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import StartupError
from gateway.spool import Job, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """An empty spool."""
    spool = Spool(tmp_path)
    yield spool
    spool.close()


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


def test_ecg_is_taken_once(spool: Spool) -> None:
    assert spool.add("a", b"1")
    assert not spool.add("a", b"1")
    spool.finish(taken(spool))
    assert not spool.add("a", b"1")
    assert spool.waiting() == {}


@pytest.mark.parametrize(("delay_s", "next_key"), [(60, "b"), (0, "a")])
def test_postponed_job_comes_first_once_it_is_due(spool: Spool, delay_s: float, next_key: str) -> None:
    spool.add("a", b"1")
    spool.add("b", b"2")
    spool.postpone(taken(spool), delay_s)
    job = taken(spool)
    assert (job.key, job.attempts) == (next_key, int(next_key == "a"))
    spool.finish(job)
    assert (spool.take("classify") is None) is (delay_s > 0)


def test_second_gateway_is_refused(spool: Spool, tmp_path: Path) -> None:
    assert spool.waiting() == {}
    with pytest.raises(StartupError, match="folder of its own"):
        Spool(tmp_path)


def test_only_its_user_reads_the_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert (tmp_path / "spool" / "spool.sqlite").stat().st_mode & 0o077 == 0
    spool.close()
