"""The audit: what is recorded of which answer, in which files, and what becomes of what cannot be written."""

import hashlib
import json
import logging
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_registry.registry import Registry
from service import __version__
from service.app import create_app
from service.audit import AuditLog, open_audit
from service.audit_files import AuditFiles, audit_line
from service.auth.keys import new_key
from service.errors import AuditUnavailableError, StartupError
from service.settings import Settings
from tests import factories
from tests.bundles import Said, policy, publish_readers, publish_tiny
from tests.service.audits import answers, audit_files, audit_lines
from tests.service.scrape import Scrape
from tests.service.serving import problem, serving, settings_for, wait_until

PAGE = factories.page_jpeg()
FIELDS = {"schema", "type", "time", "request_id", "key_id", "replay_of", "code", "image_sha256"} | {
    "bundle",
    "bundle_sha256",
    "preprocessing",
}
WHEN_CLASSIFIED = {"source", "probabilities", "decision", "reasons", "operating_point", "policy", "readers", "findings"}


class FullDisk(AuditFiles):
    """Refuses every line for as long as it is full."""

    full = False

    def append(self, lines: Sequence[bytes]) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().append(lines)


def settings_of(folder: Path, **changes: Any) -> Settings:
    return Settings(audit_dir=folder, **({"audit_sync_interval_s": 0.02} | changes))


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[FullDisk]:
    files = FullDisk(tmp_path, 10**6)
    files.full = True
    yield files
    files.full = False


def recorded(folder: Path, client: httpx.Client, count: int) -> list[dict[str, Any]]:
    wait_until(lambda: Scrape(client).value("ecg_audit_records_total") == count)
    found = answers(folder)
    assert len(found) == count
    return found


def test_every_answer_about_a_page_is_recorded(models_dir: Path, tmp_path: Path) -> None:
    with serving(settings_for(models_dir, audit_dir=tmp_path, audit_sync_interval_s=0.02)) as client:
        key = {"Idempotency-Key": "a", "X-Request-ID": "first"}
        given = client.post("/classify", content=PAGE, headers=key).json()
        client.post("/classify", content=PAGE, headers=key | {"X-Request-ID": "again"})
        problem(client.post("/classify?model=other", content=factories.blank_png()), 422, "not_an_ecg_page")
        problem(client.post("/classify", content=b""), 422, "missing_file")
        first, again, refused = recorded(tmp_path, client, 3)
    assert first.keys() == FIELDS | WHEN_CLASSIFIED
    assert (first["request_id"], first["key_id"], first["replay_of"], first["code"]) == (
        "first",
        "anonymous",
        None,
        "ok",
    )
    assert first["image_sha256"] == hashlib.sha256(PAGE).hexdigest() == given["image"]["sha256"]
    assert (first["bundle"], first["bundle_sha256"]) == ("tiny/1", given["model"]["sha256"])
    assert first["preprocessing"] == given["model"]["preprocessing"]
    assert first["probabilities"] == pytest.approx(given["probabilities"], abs=1e-4)
    assert first["decision"] == given["decision"]
    assert first["reasons"] == [reason["code"] for reason in given["reasons"]]
    assert datetime.now(UTC) - datetime.fromisoformat(first["time"]) < timedelta(minutes=1)
    each = {"request_id": "again", "replay_of": "first", "time": again["time"]}
    assert again == first | each
    assert refused.keys() == FIELDS
    assert (refused["code"], refused["bundle"]) == ("not_an_ecg_page", "other/1")
    assert refused["image_sha256"] == hashlib.sha256(factories.blank_png()).hexdigest()


def test_each_key_has_its_own_answers_and_stands_in_its_records(models_dir: Path, tmp_path: Path) -> None:
    keys = dict(new_key(name) for name in ("pacs", "ward"))
    (tmp_path / "keys").write_text("\n".join(keys.values()))
    folder = tmp_path / "audit"
    with serving(settings_for(models_dir, keys_file=tmp_path / "keys", audit_dir=folder)) as client:
        for key in (*keys, *keys):
            headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "same"}
            assert client.post("/classify", content=PAGE, headers=headers).is_success
    first, second, first_again, second_again = answers(folder)
    assert (first["key_id"], second["key_id"]) == ("pacs", "ward")
    assert (first["replay_of"], second["replay_of"]) == (None, None)
    assert (first_again["replay_of"], second_again["replay_of"]) == (first["request_id"], second["request_id"])
    assert not any(key in file.read_text() for key in keys for file in audit_files(folder))


def test_what_it_was_decided_by_is_recorded(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    registry.promote(publish_tiny(registry, decision=policy(default_sensitivity=0.9)))
    settings = settings_for(tmp_path / "models", audit_dir=tmp_path / "audit")
    with serving(settings) as client:
        client.post("/classify", content=PAGE)
    (record,) = answers(tmp_path / "audit")
    assert record["operating_point"] == {"critical_class": "myocardial_infarction", "target": 0.9, "threshold": 0.25}
    assert (record["policy"], record["readers"], record["findings"]) == ("bundle", None, [])


def test_readers_and_present_findings_are_recorded(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    said = Said(findings_network=(0.9, 0.03, 0.03, 0.04), findings=(0.49, 0.41, 0.31))
    registry.promote(publish_readers(registry, said=said))
    with serving(settings_for(tmp_path / "models", audit_dir=tmp_path / "audit")) as client:
        client.post("/classify", content=PAGE)
    (record,) = answers(tmp_path / "audit")
    assert record["readers"] == {"class_network": "normal", "findings_network": "abnormal_heartbeat"}
    assert record["findings"] == ["AFIB", "MI"]


def test_a_file_says_when_it_begins_and_ends(models_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    for _ in range(2):
        with serving(settings_for(models_dir, audit_dir=folder)) as client:
            client.post("/classify", content=PAGE)
    assert [file.name for file in audit_files(folder)] == ["audit-00000001.jsonl", "audit-00000002.jsonl"]
    assert stat.S_IMODE(audit_files(folder)[0].stat().st_mode) & 0o137 == 0
    lines = audit_lines(folder)
    assert [line["type"] for line in lines] == ["open", "answer", "close"] * 2
    assert {line["schema"] for line in lines} == {1}
    assert {line["service"] for line in lines if line["type"] == "open"} == {__version__}
    before = [line["previous"] for line in lines if line["type"] == "open"]
    assert before == [None, {"file": "audit-00000001.jsonl", "end": "closed"}]


def test_nothing_is_begun_without_an_answer(models_dir: Path, tmp_path: Path) -> None:
    with serving(settings_for(models_dir, audit_dir=tmp_path)) as client:
        client.get("/models")
    assert audit_files(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (audit_line("open", {}) + audit_line("close", {}), "closed"),
        (audit_line("open", {}) + audit_line("answer", {}), "killed"),
        (audit_line("open", {}) + audit_line("close", {}).rstrip(), "torn"),
        (audit_line("open", {}) + audit_line("answer", {})[:-9], "torn"),
        (b"", "killed"),
        (b"\x00" * 512, "torn"),
    ],
)
def test_how_the_last_run_ended_is_told(
    content: bytes, end: str, tmp_path: Path, models_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "audit-00000041.jsonl").write_bytes(content)
    (tmp_path / "audit-notes.txt").touch()
    with serving(settings_for(models_dir, audit_dir=tmp_path)) as client:
        client.post("/classify", content=PAGE)
        assert Scrape(client).value("ecg_audit_unclean_start") == (end != "closed")
    told = [vars(record)["fields"] for record in caplog.records if record.msg == "audit_not_closed"]
    assert told == ([] if end == "closed" else [{"last_file": "audit-00000041.jsonl", "ended": end}])
    opened = json.loads((tmp_path / "audit-00000042.jsonl").read_bytes().splitlines()[0])
    assert opened["previous"] == {"file": "audit-00000041.jsonl", "end": end}
    assert (tmp_path / "audit-00000041.jsonl").read_bytes() == content


def test_what_a_full_disk_refuses_is_kept_until_it_takes_it(full_disk: FullDisk, tmp_path: Path) -> None:
    audit = AuditLog(full_disk, settings_of(tmp_path))
    audit.start()
    audit.record({"number": 1})
    wait_until(lambda: audit.failing)
    audit.check()
    audit.record({"number": 2})
    assert (audit.pending_count, audit.written_count, audit.lost_count) == (2, 0, 0)
    full_disk.full = False
    wait_until(lambda: not audit.failing)
    audit.close()
    assert [record["number"] for record in answers(tmp_path)] == [1, 2]
    assert audit_lines(tmp_path)[-1]["type"] == "close"


def test_what_does_not_fit_is_lost_and_said(
    full_disk: FullDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    audit = AuditLog(full_disk, settings_of(tmp_path, audit_queue_records=2))
    audit.start()
    for number in range(5):
        audit.record({"number": number})
    assert (audit.pending_count, audit.lost_count) == (2, 3)
    full_disk.full = False
    wait_until(lambda: not audit.failing)
    audit.close()
    assert [record["number"] for record in answers(tmp_path)] == [0, 1]
    assert [line["records"] for line in audit_lines(tmp_path) if line["type"] == "lost"] == [3]
    logged = [vars(record)["fields"]["records"] for record in caplog.records if record.msg == "audit_lost"]
    assert sum(logged) == 3


def test_what_is_left_on_a_full_disk_at_the_end_is_said(
    full_disk: FullDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    audit = AuditLog(full_disk, settings_of(tmp_path))
    audit.start()
    audit.record({})
    audit.close()
    assert audit.lost_count == 1
    assert [vars(one)["fields"] for one in caplog.records if one.msg == "audit_lost"] == [{"records": 1}]
    assert [record.levelno for record in caplog.records if record.msg == "audit_failing"] == [logging.ERROR]


def test_required_audit_without_room_answers_nothing(full_disk: FullDisk, tmp_path: Path) -> None:
    audit = AuditLog(full_disk, settings_of(tmp_path, audit_required=True, audit_queue_records=1))
    audit.start()
    audit.record({"number": 1})
    with pytest.raises(AuditUnavailableError):
        audit.record({"number": 2})
    with pytest.raises(AuditUnavailableError):
        audit.check()
    full_disk.full = False
    wait_until(lambda: not audit.failing)
    audit.check()
    audit.close()
    assert [record["number"] for record in answers(tmp_path)] == [1]
    assert audit.lost_count == 0


@pytest.mark.parametrize("make", [lambda folder: (folder / "file").touch(), lambda folder: (folder / "file").mkdir()])
def test_a_folder_that_cannot_be_had_stops_the_start(make: Any, tmp_path: Path) -> None:
    make(tmp_path)
    settings = settings_of(tmp_path / "file")
    holder = open_audit(settings) if (tmp_path / "file").is_dir() else None
    with pytest.raises(StartupError, match="ECG_AUDIT_DIR"):
        open_audit(settings)
    if holder:
        holder.start()
        holder.close()
        again = open_audit(settings)
        assert again
        again.start()
        again.close()


def test_an_audit_that_is_required_needs_a_folder(models_dir: Path) -> None:
    with pytest.raises(StartupError, match="ECG_AUDIT_DIR"):
        create_app(settings_for(models_dir, audit_required=True))
