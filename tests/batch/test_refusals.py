"""What a user can get wrong: one clear line, a documented exit code, and nothing is lost."""

import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.__main__ import main
from batch.pages import PageReader, identify_model
from service.errors import KINDS
from shared_preproc.errors import PreprocError
from tests.batch.archive import LIMIT_S, Program, rows_of
from tests.bundles import policy
from tests.conftest import REPOSITORY
from tests.factories import blank_png, heic
from tests.service.small_disk import require_namespaces
from tests.service.test_site_policy import write_policy

ON_A_SMALL_DISK = """
import sys
from tests.service.small_disk import _mount
if __name__ == "__main__":
    _mount(sys.argv[1], 40_960)
    from batch.__main__ import main
    sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(autouse=True)
def here(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECG_MODELS_DIR", str(models))


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    line = capsys.readouterr().err
    assert line.startswith("ecg-batch: ")
    assert line.count("\n") == 1
    return line


def test_missing_files_of_a_list_are_rows(drawn: list[Path], ecg_batch: Program, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(f"source\n{drawn[0]}\ngone.jpg\n{drawn[1]}\n{tmp_path}\n")
    done = ecg_batch("classify", listed, tmp_path / "output", "--workers", 1)
    assert done.returncode == 6
    assert done.stderr == "ecg-batch: 2 pages could not be read: see `refusal` in their rows.\n"
    rows = rows_of(tmp_path / "output")
    assert [row["refusal"] for row in rows] == [None, "source_missing", None, "source_unreadable"]
    assert rows[1]["source"] == str(tmp_path / "gone.jpg")


def test_pages_beyond_the_services_limit_are_rows(drawn: list[Path], ecg_batch: Program, tmp_path: Path) -> None:
    limit = {"ECG_MAX_BODY_BYTES": "100000"}
    done = ecg_batch("classify", drawn[0].parent, tmp_path / "output", "--workers", 1, "--limit", 1, **limit)
    assert done.returncode == 0, done.stderr
    assert [row["refusal"] for row in rows_of(tmp_path / "output")] == ["body_too_large"]


def test_full_disk_keeps_finished_chunks(archive: Path, tmp_path: Path) -> None:
    require_namespaces()
    program = [sys.executable, "-c", ON_A_SMALL_DISK]
    command = [*program, str(tmp_path), "classify", str(archive), str(tmp_path / "output")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 3, done.stderr
    assert "No space left on device. Finished chunks are kept" in done.stderr
    assert "Traceback" not in done.stderr


def test_foreign_parquet_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"name": ["a"]}), tmp_path / "list.parquet")
    assert main(["index", str(tmp_path / "list.parquet"), str(tmp_path / "output")]) == 2
    assert "no column `source`" in complaint(capsys)


def test_damaged_parquet_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.parquet").write_bytes(b"no Parquet")
    assert main(["index", str(tmp_path / "list.parquet"), str(tmp_path / "output")]) == 2
    assert "cannot be read as a list" in complaint(capsys)


def test_list_with_an_empty_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.csv").write_text('source,size\na.jpg,1\n"",2\n')
    assert main(["index", str(tmp_path / "list.csv"), str(tmp_path / "output")]) == 2
    assert "1 lines have no source" in complaint(capsys)


def test_foreign_index_in_output(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"source": ["a"]}), tmp_path / "index.parquet")
    assert main(["index", str(archive), str(tmp_path)]) == 4
    assert "no index of an archive" in complaint(capsys)


@pytest.mark.parametrize("given", ["nowhere", "ftp://host/pages"])
def test_unknown_input(given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", given, str(tmp_path / "output")]) == 2
    assert given in complaint(capsys)


def test_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pages").mkdir()
    assert main(["index", str(tmp_path / "pages"), str(tmp_path / "output")]) == 2
    assert "has no pages" in complaint(capsys)


def test_output_inside_of_input(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", str(archive), str(archive / "output")]) == 2
    assert "lies in INPUT" in complaint(capsys)


def test_unknown_model(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(archive), str(tmp_path), "--model", "none"]) == 2
    assert "There is no bundle or alias none" in complaint(capsys)


def test_another_model_does_not_mix(
    finished: Path, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = shutil.copytree(finished, tmp_path / "output")
    assert main(["classify", str(archive), str(output), "--model", "other"]) == 4
    assert "belongs to tiny/1" in complaint(capsys)
    assert rows_of(output) == rows_of(finished)


def test_other_thresholds_do_not_mix(
    finished: Path,
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sha256 = identify_model(None).sha256
    monkeypatch.setenv("ECG_SITE_POLICY", str(write_policy(tmp_path, policy(default_sensitivity=0.99), sha256)))
    assert main(["classify", str(archive), str(finished)]) == 4
    assert "thresholds of that run" in complaint(capsys)


def test_another_archive_does_not_mix(finished: Path, drawn: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(drawn[0].parent), str(finished)]) == 4
    assert "is indexed for" in complaint(capsys)


def test_another_limit_does_not_mix(finished: Path, archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(archive), str(finished), "--limit", "7"]) == 4
    assert "expected the first 7 pages of" in complaint(capsys)


def test_shard_without_a_count(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "3")
    assert main(["classify", str(archive), str(tmp_path / "output")]) == 2
    assert "needs JOB_COMPLETIONS" in complaint(capsys)


def test_refusal_codes_are_those_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = PageReader("tiny/1")
    for refusal in (kind for kind in KINDS if issubclass(kind, PreprocError)):
        error = refusal.__new__(refusal)

        def refuse(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("batch.pages.classify", refuse)
        assert reader.read(b"")["refusal"] == KINDS[refusal].code


def test_fault_in_one_page_is_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    reader = PageReader("tiny/1")
    monkeypatch.setattr("batch.pages.classify", fail)
    assert reader.read(heic())["refusal"] == "internal_error"
    monkeypatch.undo()
    assert reader.read(blank_png())["refusal"] == "not_an_ecg_page"
