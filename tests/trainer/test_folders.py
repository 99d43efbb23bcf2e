"""Class folders are found as the data set is published, wrapped, divided or zipped."""

import shutil
from collections import Counter
from pathlib import Path
from zipfile import ZipFile

import pytest

from trainer.classes import CLASS_FOLDERS, CLASS_NAMES, class_of_folder
from trainer.errors import DatasetError
from trainer.folders import find_pages, missing_classes

PUBLISHED = {
    "ECG Images of Patient that have abnormal heartbeat (233x12=2796)": "abnormal_heartbeat",
    "ECG Images of Patient that have History of MI (172x12=2064)": "history_of_mi",
    "ECG Images of Myocardial Infarction Patients (240x12=2880)": "myocardial_infarction",
    "Normal Person ECG Images (284x12=3408)": "normal",
}


def fill(data: Path, *names: str) -> Path:
    """Write one empty page for each path."""
    for name in names:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()
    return data


def classes(data: Path) -> Counter[str]:
    return Counter(file.class_name for file in find_pages(data).files)


@pytest.mark.parametrize(("folder", "class_name"), [*PUBLISHED.items(), *CLASS_FOLDERS.items()])
def test_published_names_stand_for_their_class(folder: str, class_name: str) -> None:
    assert class_of_folder(folder) == class_name


@pytest.mark.parametrize("folder", ["normal", "NORMAL", "Normal_Person ECG_Images", "Normal Person ECG Images"])
def test_case_count_and_underscores_do_not_matter(folder: str) -> None:
    assert class_of_folder(folder) == "normal"


@pytest.mark.parametrize("folder", ["COVID-19", "train", "Normals", "MI and normal", ""])
def test_other_folders_stand_for_no_class(folder: str) -> None:
    assert class_of_folder(folder) is None


@pytest.mark.parametrize("wrapping", ["", "ECG Images dataset/", "a/b/c/"])
def test_wrapped_class_folders_are_found(tmp_path: Path, wrapping: str) -> None:
    data = fill(tmp_path, *(f"{wrapping}{folder}/1.jpg" for folder in PUBLISHED))
    assert classes(data) == Counter(CLASS_NAMES)
    assert missing_classes(find_pages(data)) is None


def test_train_and_test_folders_are_joined(tmp_path: Path) -> None:
    data = fill(tmp_path, "train/MI/1.jpg", "val/MI/2.jpg", "test/MI/1.jpg", "train/Normal/1.jpg")
    assert classes(data) == {"myocardial_infarction": 3, "normal": 1}
    assert find_pages(data).of_class("myocardial_infarction") == {"test/MI": 1, "train/MI": 1, "val/MI": 1}


def test_words_tell_which_folder_is_which_class(tmp_path: Path) -> None:
    words = find_pages(fill(tmp_path, *(f"{folder}/1.jpg" for folder in PUBLISHED))).words()
    for line, (folder, class_name) in zip(words.splitlines(), PUBLISHED.items(), strict=True):
        assert line.split() == [class_name, "1", "pages", "in", *folder.split()]


def zipped(folder: Path, archive: Path) -> None:
    shutil.make_archive(str(archive.with_suffix("")), "zip", folder)
    shutil.rmtree(folder)


def test_archive_of_each_class_is_read(tmp_path: Path) -> None:
    for name in PUBLISHED:
        zipped(fill(tmp_path / name, "1.jpg", "2.jpg"), tmp_path / f"{name}.zip")
    assert classes(tmp_path) == dict.fromkeys(CLASS_NAMES, 2)


def test_archive_of_archives_is_read(tmp_path: Path) -> None:
    inner = tmp_path / "gwbz3fsgp8-2"
    for name in PUBLISHED:
        zipped(fill(inner / name, "1.jpg"), inner / f"{name}.zip")
    zipped(inner, tmp_path / "gwbz3fsgp8-2.zip")
    found = find_pages(tmp_path / "gwbz3fsgp8-2.zip")
    assert Counter(file.class_name for file in found.files) == Counter(CLASS_NAMES)
    assert classes(tmp_path) == Counter(CLASS_NAMES)


def test_archive_beside_its_folders_is_not_used_twice(tmp_path: Path) -> None:
    zipped(fill(tmp_path / "MI", "1.jpg"), tmp_path / "MI.zip")
    fill(tmp_path, "MI/1.jpg", "Normal/1.jpg")
    assert classes(tmp_path) == {"myocardial_infarction": 1, "normal": 1}
    assert find_pages(tmp_path).ignored == ["MI.zip: not used for myocardial_infarction, which has folders as well"]


def test_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "MI.zip", "w") as archive:
        archive.writestr("../../outside.jpg", b"")
        archive.writestr("__MACOSX/._1.jpg", b"")
        archive.writestr("/1.jpg", b"")
    (file,) = find_pages(tmp_path).files
    assert file.path.name == "1.jpg"
    assert not (file.path.parent.parent.parent / "outside.jpg").exists()


def test_damaged_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "MI.zip").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(DatasetError, match=r"MI\.zip cannot be unpacked"):
        find_pages(tmp_path)


@pytest.mark.parametrize("suffix", ["jpg", "JPG", "jpeg", "jfif", "png"])
def test_every_picture_suffix_is_a_page(tmp_path: Path, suffix: str) -> None:
    assert classes(fill(tmp_path, f"MI/1.{suffix}")) == {"myocardial_infarction": 1}


def test_hidden_files_are_skipped(tmp_path: Path) -> None:
    found = find_pages(fill(tmp_path, "MI/._1.jpg", "MI/.DS_Store", ".git/MI/2.jpg", "__MACOSX/MI/3.jpg", "MI/1.jpg"))
    assert [file.path.name for file in found.files] == ["1.jpg"]
    assert found.ignored == []


def test_ignored_files_and_fifth_folder_are_named(tmp_path: Path) -> None:
    found = find_pages(fill(tmp_path, "MI/1.jpg", "MI/notes.txt", "COVID-19/1.jpg", "COVID-19/2.jpg", "records.csv"))
    assert found.ignored == ["COVID-19: 2 pages in no class folder", "MI/notes.txt: neither JPEG nor PNG by its name"]


def test_folder_without_class_folders_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no class folder with pages; expected the folders Abnormal"):
        find_pages(fill(tmp_path, "COVID-19/1.jpg"))
    with pytest.raises(DatasetError, match="does not exist"):
        find_pages(tmp_path / "none")


def test_missing_classes_are_named(tmp_path: Path) -> None:
    found = find_pages(fill(tmp_path, "MI/1.jpg", "Normal/1.jpg"))
    assert str(missing_classes(found)).startswith("no page of abnormal_heartbeat, history_of_mi; expected")
