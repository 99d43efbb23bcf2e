"""A folder to rows, by processes on this machine."""

import json
import shutil
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.batch.archive import Program, children, kill, rows_of, started, wait_until
from tests.batch.conftest import PAGES
from tests.service.process import environment, running


def test_each_page_has_exactly_one_row(finished: Path, archive: Path) -> None:
    sources = [row["source"] for row in rows_of(finished)]
    assert len(sources) == PAGES
    assert set(sources) == {str(path) for path in archive.rglob("*.jpg")}


def test_rows_say_what_the_service_answers(finished: Path, models: Path, drawn: list[Path]) -> None:
    rows = {row["sha256"]: row for row in rows_of(finished)}
    assert len(rows) == len(drawn)
    with running(environment(models)) as service:
        for file in drawn:
            answer = service.client.post("/classify", content=file.read_bytes())
            check_row(rows, answer)


def check_row(rows: dict[str, dict[str, object]], answer: httpx.Response) -> None:
    body = answer.json()
    if not answer.is_success:
        (row,) = (row for row in rows.values() if row["refusal"] == body["code"])
        assert row["class"] is None
        return
    row = rows[body["image"]["sha256"]]
    assert row["class"] == body["predicted_class"]
    # The service sends four decimals.
    assert {name: round(share, 4) for name, share in row["probabilities"].items()} == pytest.approx(  # type: ignore[attr-defined]
        body["probabilities"], abs=1e-6
    )
    assert row["decision"] == body["decision"]
    assert row["reasons"] == [reason["code"] for reason in body["reasons"]]
    assert row["quality"]["heart_rate_bpm"] == pytest.approx(body["quality"]["heart_rate_bpm"], abs=0.1)  # type: ignore[index]
    assert row["model"] == f"{body['model']['name']}/{body['model']['version']}"


def test_summary_counts_the_rows(finished: Path) -> None:
    summary, rows = json.loads((finished / "summary.json").read_text()), rows_of(finished)
    assert summary["pages"] == summary["last_runner"]["pages"] == PAGES
    assert summary["classes"] == Counter(row["class"] for row in rows if row["class"])
    assert summary["refusals"] == Counter(row["refusal"] for row in rows if row["refusal"])
    assert summary["refusals"].keys() == {"undecodable_image", "unsupported_format", "not_an_ecg_page"}
    assert summary["failures"] == 0


def test_second_run_does_only_what_is_missing(
    finished: Path, archive: Path, ecg_batch: Program, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    shutil.copytree(finished, output)
    (output / "chunks" / "chunk-000003.parquet").unlink()
    again = ecg_batch("classify", archive, output, "--workers", 1)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("20 pages in ")
    assert rows_of(output) == rows_of(finished)


@pytest.mark.slow
def test_killed_run_resumes(archive: Path, models: Path, ecg_batch: Program, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with started(models, "classify", archive, output) as runner:
        wait_until(lambda: len(list(output.glob("chunks/*"))) >= 2)
        workers = children(runner.pid)
        kill([runner.pid, *workers])
    begun = {name.partition(".")[0] for name in (path.name for path in output.glob("claims/*"))}
    resumed = ecg_batch("classify", archive, output)
    assert resumed.returncode == 0, resumed.stderr
    assert len({row["source"] for row in rows_of(output)}) == len(rows_of(output)) == PAGES
    done_twice = 20 * len(begun) + int(resumed.stdout.split()[0]) - PAGES
    assert done_twice <= 20 * len(workers)


def test_csv_holds_the_same_columns(archive: Path, ecg_batch: Program, tmp_path: Path) -> None:
    done = ecg_batch("classify", archive, tmp_path / "csv", "--csv", "--limit", 20, "--workers", 1)
    assert done.returncode == 0, done.stderr
    header, *lines = (tmp_path / "csv" / "chunks" / "chunk-000000.csv").read_text().splitlines()
    assert {"source", "probabilities.normal", "reasons", "quality.rate"} < set(header.replace('"', "").split(","))
    assert len(lines) == 20
    assert ecg_batch("verify", tmp_path / "csv").returncode == 0


def test_dry_run_writes_nothing(archive: Path, ecg_batch: Program, tmp_path: Path) -> None:
    done = ecg_batch("classify", archive, tmp_path / "output", "--dry-run")
    assert done.stdout == f"{PAGES} pages in {PAGES // 20} chunks for tiny/1; nothing is written\n"
    assert not list(tmp_path.iterdir())


def test_indexed_job_shares_the_chunks(ecg_batch: Program, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    for number in range(60):
        (tmp_path / "archive" / f"{number}.txt").write_text("no page")
    for shard, chunks in ((0, {0, 2}), (1, {0, 1, 2})):
        pod = {"JOB_COMPLETION_INDEX": str(shard), "JOB_COMPLETIONS": "2"}
        done = ecg_batch("classify", tmp_path / "archive", tmp_path / "output", "--workers", 1, **pod)
        assert done.returncode == 0, done.stderr
        names = {path.name for path in (tmp_path / "output" / "chunks").iterdir()}
        assert names == {f"chunk-{chunk:06d}.parquet" for chunk in chunks}
    assert (tmp_path / "output" / "summary.json").exists()
