"""A data folder as labelled pages, and the audit of what it holds."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.factories import blank_png, encoded
from trainer.__main__ import main
from trainer.audit import audit, data_facts
from trainer.dataset import read_data, read_pages
from trainer.errors import DatasetError


@pytest.mark.slow
def test_audit_of_the_published_files(published_pages: Path, shared_dir: Path, tmp_path: Path) -> None:
    facts_file = tmp_path / "audit.json"
    records = shared_dir / "data" / "records.csv"
    assert main(["audit", str(published_pages), "--groups", str(records), "--json", str(facts_file)]) == 0
    facts = json.loads(facts_file.read_text())
    assert (facts["files"], facts["distinct"], facts["copies"]) == (773, 409, 364)
    assert facts["sizes_px"] == {"2213 x 1572": 773}
    assert facts["label_conflicts"] == facts["refused"] == facts["ignored"] == []
    assert facts["groups"] == 256
    assert facts["validation_copies"]["mean"] == pytest.approx(0.60, abs=0.005)
    counts = {name: (row["files"], row["distinct"], row["most_often"]) for name, row in facts["classes"].items()}
    assert counts == {
        "abnormal_heartbeat": (194, 194, 1),
        "history_of_mi": (144, 72, 2),
        "myocardial_infarction": (199, 25, 8),
        "normal": (236, 118, 2),
    }


@pytest.fixture
def data(few_pages: Path, tmp_path: Path) -> Path:
    """Two pages of each class, to be changed."""
    for folder in ("Abnormal", "Histroy_MI", "MI", "Normal"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for page in sorted((few_pages / folder).iterdir())[:2]:
            shutil.copy(page, tmp_path / "data" / folder)
    return tmp_path / "data"


def first(folder: Path) -> Path:
    return min(folder.iterdir())


def save_again(page: Path, copy: Path, mode: str = "RGB") -> None:
    copy.write_bytes(encoded(Image.open(page).convert(mode), "PNG", compress_level=1))


def test_page_saved_again_is_a_copy(data: Path) -> None:
    save_again(first(data / "MI"), data / "MI" / "z.png", "L")
    facts = audit(read_pages(data))
    assert (facts["files"], facts["distinct"], facts["copies"], facts["saved_again"]) == (9, 8, 1, 1)
    assert facts["classes"]["myocardial_infarction"]["most_often"] == 2


def test_page_saved_again_under_another_class_conflicts(data: Path) -> None:
    save_again(first(data / "MI"), data / "Normal" / "z.png")
    facts = audit(read_pages(data))
    assert len(facts["label_conflicts"]) == 1
    assert facts["validation_copies"] is None


def test_unusable_pages_are_listed_all_at_once(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "MI" / "cut.jpg").write_bytes(first(data / "MI").read_bytes()[:50_000])
    (data / "MI" / "empty.jpg").touch()
    (data / "Normal" / "blank.png").write_bytes(blank_png())
    (data / "Normal" / "small.png").write_bytes(encoded(Image.new("L", (640, 480)), "PNG"))
    (data / "Normal" / "notes.txt").touch()
    assert main(["audit", str(data)]) == 0
    said = capsys.readouterr().out
    for words in (
        "cannot be used: 4",
        "MI/cut.jpg: a JPEG that is damaged or cut short",
        "MI/empty.jpg: an empty file",
        "Normal/blank.png: the frame on 0% of its line",
        "Normal/small.png: 640 x 480 px",
        "ignored: 1\n  Normal/notes.txt",
    ):
        assert words in said
    assert data_facts(read_data(data))["files"] == 8
    with pytest.raises(DatasetError, match=r"(?s)4 of 12 pages cannot be used.*cut\.jpg.*empty\.jpg.*blank.*small"):
        read_pages(data)


def test_training_refuses_unusable_pages_before_it_starts(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "MI" / "empty.jpg").touch()
    assert main(["prepare", str(data), str(data.parent / "out")]) == 1
    said = capsys.readouterr()
    assert "normal                       2 pages in Normal" in said.out
    assert "MI/empty.jpg: an empty file" in said.err
    assert not (data.parent / "out").exists()


def test_pages_of_one_name_are_told_apart(data: Path) -> None:
    for part in ("train", "test"):
        (data / part).mkdir()
    (data / "MI").rename(data / "train" / "MI")
    (data / "test" / "MI").mkdir()
    page = first(data / "train" / "MI")
    shutil.copy(first(data / "Normal"), data / "test" / "MI" / page.name)
    names = [page.name for page in read_pages(data) if page.class_name == "myocardial_infarction"]
    assert len(set(names)) == len(names) == 3
    assert f"test-MI-{page.name}" in names


def hashes(data: Path) -> dict[str, str]:
    return {page.name: page.sha256 for page in read_pages(data)}


def test_groups_default_to_the_image(data: Path) -> None:
    assert all(page.group == page.image == page.sha256 for page in read_pages(data))


def test_copy_belongs_to_the_record_of_its_original(data: Path) -> None:
    rows = [f"{sha256},{number // 2}" for number, sha256 in enumerate(hashes(data).values())]
    table = data.parent / "groups.csv"
    table.write_text("\n".join(["sha256,record_id", *rows]))
    original = first(data / "MI")
    save_again(original, data / "MI" / "z.png")
    groups = {page.name: page.group for page in read_pages(data, table)}
    assert groups["z"] == groups[original.stem]


def test_copies_in_two_records_are_refused(data: Path) -> None:
    save_again(first(data / "MI"), data / "MI" / "z.png")
    table = data.parent / "groups.csv"
    rows = [f"{page.sha256},{number}" for number, page in enumerate(read_pages(data))]
    table.write_text("\n".join(["sha256,record_id", *rows]))
    with pytest.raises(DatasetError, match=r"z\.png is a copy of a page with the record id 4, but has 6"):
        read_pages(data, table)


def test_pages_that_the_table_lacks_are_counted(data: Path) -> None:
    table = data.parent / "groups.csv"
    table.write_text(f"sha256,record_id\n{'0' * 64},1\n")
    with pytest.raises(DatasetError, match=r"has no row for 8 of 8 pages \(Abnormal.SYN-Abnormal-0001\.jpg"):
        read_pages(data, table)


def test_missing_class_is_refused_where_all_are_needed(data: Path) -> None:
    shutil.rmtree(data / "MI")
    with pytest.raises(DatasetError, match=r"(?s)no page of myocardial_infarction.*Found:.*2 pages in Normal"):
        read_pages(data)
    assert len(read_data(data, every_class=False).pages) == 6


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "{empty}"],
        ["audit", "{data}", "--groups", "{empty}/x.csv"],
        ["audit", "{data}", "--json", "{empty}/no/a"],
    ],
)
def test_refusal_ends_with_status_1_and_a_line(
    words: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main([word.format(empty=tmp_path / "empty", data=data) for word in words]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("trainer audit: ")


@pytest.mark.parametrize("words", [["--count", "0"], ["--count", "-1"], ["--seed", "-1"], ["--seed", "x"]])
def test_senseless_numbers_are_refused(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end:
        main(["synth", str(tmp_path / "out"), *words])
    assert end.value.code == 2
