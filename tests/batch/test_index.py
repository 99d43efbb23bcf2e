"""What an index lists, and how it cuts it into chunks."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.errors import InputError
from batch.index import Index, Origin, ensure_index, make_index
from batch.sources import UnreadablePageError, canonical, read_page
from batch.storage import open_storage


def index_of(location: Path | str, output: Path, limit: int | None = None) -> Index:
    return ensure_index(open_storage(str(output)), Origin(canonical(str(location)), limit))


def all_sources(index: Index) -> list[str]:
    return [source for chunk in range(index.chunks) for source in index.sources(chunk)]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A list of a million lines would do; this one reaches full chunks."""
    listed = tmp_path / "list.csv"
    listed.write_text("source\n" + "".join(f"{number}.jpg\n" for number in range(64_500)))
    return listed


def test_folder_gives_its_files_in_order(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "b/1.dcm", "a.png", ".hidden.jpg", ".git/x.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"page")
    index = index_of(tmp_path / "in", tmp_path / "out")
    assert all_sources(index) == [f"{tmp_path}/in/{name}" for name in ("a.png", "b/1.dcm", "b/2.jpg")]
    assert pq.read_table(tmp_path / "out" / "index.parquet")["size"].to_pylist() == [4, 4, 4]


def test_glob_gives_what_matches(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg", "3.png"):
        (tmp_path / name).touch()
    index = index_of(tmp_path / "*.jpg", tmp_path / "out")
    assert all_sources(index) == [f"{tmp_path}/1.jpg", f"{tmp_path}/2.jpg"]


def test_list_names_each_page_once(tmp_path: Path) -> None:
    table = pa.table({"source": ["/a.jpg", "b.jpg", "/a.jpg", "s3://bucket/c.jpg"], "size": [1, 2, 1, 3]})
    pq.write_table(table, tmp_path / "list.parquet")
    index = index_of(tmp_path / "list.parquet", tmp_path / "out")
    assert all_sources(index) == ["/a.jpg", f"{tmp_path}/b.jpg", "s3://bucket/c.jpg"]


def test_large_archives_have_chunks_of_1000(many: Path, tmp_path: Path) -> None:
    index = index_of(many, tmp_path / "out")
    assert (index.pages, index.chunks) == (64_500, 65)
    assert [index.size(chunk) for chunk in (0, 63, 64)] == [1000, 1000, 500]
    assert index.sources(64)[-1] == f"{tmp_path}/64499.jpg"


def test_small_archives_have_small_chunks(many: Path, tmp_path: Path) -> None:
    index = index_of(many, tmp_path / "out", limit=2000)
    assert (index.chunks, index.size(0)) == (63, 32)


def test_second_index_is_the_first(tmp_path: Path, many: Path) -> None:
    index_of(many, tmp_path / "out")
    many.write_text("source\nother.jpg\n")
    assert index_of(many, tmp_path / "out").pages == 64_500


def test_names_that_are_not_utf_8_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = os.fsencode(tmp_path / "in") + b"/caf\xe9 1%.jpg"
    Path(os.fsdecode(path)).write_bytes(b"page")
    (source,) = all_sources(index_of(tmp_path / "in", tmp_path / "out"))
    assert source.startswith("file:///")
    assert read_page(source, 100) == b"page"


def test_missing_page_has_a_code() -> None:
    with pytest.raises(UnreadablePageError, match="source_missing"):
        read_page("/nowhere/page.jpg", 100)


def test_no_pages_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no pages"):
        make_index(Origin(str(tmp_path / "*.jpg")))
