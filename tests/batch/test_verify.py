"""`verify` finds what is wrong with an output; `compare` finds where two differ."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batch.__main__ import main
from batch.errors import OtherRunError
from batch.run import open_run
from batch.verify import compare, problems
from tests.batch.archive import Program
from tests.batch.conftest import PAGES

CHUNK = "chunks/chunk-000001.parquet"


@pytest.fixture
def output(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(finished, tmp_path / "output")


def rewrite(output: Path, change: Callable[[list[dict[str, object]]], object]) -> None:
    table = pq.read_table(output / CHUNK)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(table.from_pylist(rows, schema=table.schema), output / CHUNK)


def test_finished_run_passes(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(finished), "--read-pages"]) == 0
    assert capsys.readouterr().out == f"{PAGES} pages, each with one row of tiny/1\n"


def test_missing_chunk(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (output / CHUNK).unlink()
    assert main(["verify", str(output)]) == 1
    assert capsys.readouterr().out == f"{CHUNK} is missing or damaged\n"


def test_damaged_chunk(output: Path) -> None:
    content = bytearray((output / CHUNK).read_bytes())
    content[30] ^= 0xFF
    (output / CHUNK).write_bytes(content)
    assert list(problems(open_run(str(output)), read_pages=False)) == [f"{CHUNK} is missing or damaged"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda rows: rows.pop(), "19 rows, which are not those of its 20 pages"),
        (lambda rows: rows[0].update(model="other/1"), "rows of another model: other/1"),
        (lambda rows: rows[0].update(sha256="1234"), "1 rows have no proper SHA-256"),
        (lambda rows: rows[0].update({"class": None}), "1 rows have neither a class nor a refusal, or both"),
    ],
    ids=["row", "model", "sha256", "class"],
)
def test_changed_rows(output: Path, change: Callable[[list[dict[str, object]]], object], found: str) -> None:
    rewrite(output, change)
    assert list(problems(open_run(str(output)), read_pages=False)) == [f"{CHUNK}: {found}"]


def test_page_with_two_rows(output: Path) -> None:
    shutil.copy(output / "chunks/chunk-000002.parquet", output / CHUNK)
    assert "20 pages have more than one row" in list(problems(open_run(str(output)), read_pages=False))


def test_foreign_chunk(output: Path) -> None:
    (output / "chunks" / "notes.txt").touch()
    assert list(problems(open_run(str(output)), read_pages=False)) == [
        "chunks/notes.txt belongs to no chunk of the index"
    ]


def test_changed_index(output: Path) -> None:
    table = pq.read_table(output / "index.parquet")
    pq.write_table(table, output / "index.parquet", row_group_size=20)
    assert next(problems(open_run(str(output)), read_pages=False)).startswith("index.parquet is not the index")


def test_page_that_changed_since(output: Path) -> None:
    rewrite(output, lambda rows: rows[3].update(sha256="0" * 64))
    assert list(problems(open_run(str(output)), read_pages=True)) == [
        f"{CHUNK}: 1 pages are no longer what was classified"
    ]


def test_compare_counts_flips_by_class(
    finished: Path, archive: Path, ecg_batch: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = ecg_batch("classify", archive, tmp_path / "other", "--model", "other", "--limit", 20, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert main(["compare", str(finished), str(tmp_path / "other"), "--flips", str(tmp_path / "flips.csv")]) == 0
    out = capsys.readouterr().out
    assert f"pages in both 20, only in the first {PAGES - 20}, only in the second 0\npages that differ 17\n" in out
    assert "        17   abnormal_heartbeat (referred) -> normal (reported)\n" in out
    flips = (tmp_path / "flips.csv").read_text().splitlines()
    assert len(flips) == 18
    assert str(archive) in flips[1]


def test_compare_needs_complete_runs(finished: Path, output: Path) -> None:
    (output / CHUNK).unlink()
    with pytest.raises(OtherRunError, match="chunk 1 is missing"):
        compare(open_run(str(finished)), open_run(str(output)))
