"""Class folders and the audit of what they hold."""

import json
import shutil
from pathlib import Path

import pytest

from trainer.__main__ import main
from trainer.audit import audit
from trainer.dataset import read_known_pages, read_pages
from trainer.errors import DatasetError


def test_audit_of_the_published_files(published_pages: Path, shared_dir: Path, tmp_path: Path) -> None:
    facts_file = tmp_path / "audit.json"
    records = shared_dir / "data" / "records.csv"
    assert main(["audit", str(published_pages), "--groups", str(records), "--json", str(facts_file)]) == 0
    facts = json.loads(facts_file.read_text())
    assert (facts["files"], facts["distinct"], facts["copies"]) == (773, 409, 364)
    assert facts["sizes_px"] == {"2213 x 1572": 773}
    assert facts["label_conflicts"] == []
    assert facts["groups"] == 256
    assert facts["validation_copies"]["mean"] == pytest.approx(0.60, abs=0.005)
    counts = {name: (row["files"], row["distinct"], row["most_often"]) for name, row in facts["classes"].items()}
    assert counts == {
        "abnormal_heartbeat": (194, 194, 1),
        "history_of_mi": (144, 72, 2),
        "myocardial_infarction": (199, 25, 8),
        "normal": (236, 118, 2),
    }


def fill(data: Path, small_png: bytes) -> None:
    for number, folder in enumerate(("Abnormal", "Histroy_MI", "MI", "Normal")):
        (data / folder).mkdir(parents=True)
        (data / folder / "page.png").write_bytes(small_png + bytes([number]))


SMALL_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c6360000000020001485d7aae0000000049454e44ae426082"
)


def test_one_image_under_two_classes_is_reported(tmp_path: Path) -> None:
    fill(tmp_path, SMALL_PNG)
    (tmp_path / "Normal" / "again.png").write_bytes((tmp_path / "MI" / "page.png").read_bytes())
    facts = audit(read_pages(tmp_path))
    assert len(facts["label_conflicts"]) == 1
    assert facts["validation_copies"] is None
    assert (facts["files"], facts["distinct"]) == (5, 4)


def test_an_unreadable_page_is_reported(tmp_path: Path) -> None:
    fill(tmp_path, SMALL_PNG)
    (tmp_path / "MI" / "broken.jpg").write_bytes(b"not a picture")
    assert audit(read_pages(tmp_path))["unreadable"] == [str(tmp_path / "MI" / "broken.jpg")]


def test_groups_default_to_the_content(tmp_path: Path) -> None:
    fill(tmp_path, SMALL_PNG)
    assert all(page.group == page.sha256 for page in read_pages(tmp_path))


def test_what_is_wrong_with_a_data_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Abnormal holds no"):
        read_pages(tmp_path)
    fill(tmp_path, SMALL_PNG)
    (tmp_path / "MI" / "page.jpg").write_bytes(SMALL_PNG)
    with pytest.raises(DatasetError, match="two files named page"):
        read_pages(tmp_path)


@pytest.mark.parametrize(
    ("table", "message"),
    [("name,id\n", "lacks the columns"), ("sha256,record_id\n00,1\n", "no row for page.png")],
)
def test_what_is_wrong_with_a_table_of_groups_is_said(tmp_path: Path, table: str, message: str) -> None:
    fill(tmp_path / "data", SMALL_PNG)
    (tmp_path / "groups.csv").write_text(table)
    with pytest.raises(DatasetError, match=message):
        read_pages(tmp_path / "data", tmp_path / "groups.csv")


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "{empty}"],
        ["audit", "{data}", "--groups", "{empty}/x.csv"],
        ["audit", "{data}", "--json", "{empty}/no/a"],
    ],
)
def test_a_refusal_ends_with_status_1_and_a_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "data", SMALL_PNG)
    (tmp_path / "empty").mkdir()
    filled = [word.format(empty=tmp_path / "empty", data=tmp_path / "data") for word in words]
    assert main(filled) == 1
    assert capsys.readouterr().err.startswith("trainer audit: ")


@pytest.mark.parametrize("words", [["--count", "0"], ["--count", "-1"], ["--seed", "-1"], ["--seed", "x"]])
def test_senseless_numbers_are_refused(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end:
        main(["synth", str(tmp_path / "out"), *words])
    assert end.value.code == 2


def test_a_refusal_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(tmp_path)]) == 1
    assert "holds no .jpg or .png page" in capsys.readouterr().err


def test_known_pages_may_lack_classes_and_use_their_own_names(few_pages: Path, tmp_path: Path) -> None:
    shutil.copytree(few_pages / "Normal", tmp_path / "normal")
    pages = read_known_pages(tmp_path)
    assert {page.class_name for page in pages} == {"normal"}
    assert len(pages) == 6


def test_folder_without_class_folders_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no class folder; expected some of Abnormal"):
        read_known_pages(tmp_path)
