"""Lead images on disk: where they stand, and that they are what preprocessing gives."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared_preproc.pipeline import preprocess
from shared_preproc.spec import MASKS_150
from trainer.__main__ import main
from trainer.classes import CLASS_FOLDERS, CLASS_NAMES
from trainer.dataset import LabelledPage, read_pages
from trainer.errors import DatasetError
from trainer.prepare import load_lead_images, prepare, read_prepared
from trainer.splits import SPLITS

pytestmark = pytest.mark.slow

GOLDEN_LIMIT = 0.0002


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def labelled(page: Path, class_name: str) -> LabelledPage:
    sha256 = sha256_of(page)
    return LabelledPage(page, class_name, page.stem, sha256, sha256, sha256)


def golden_difference(out: Path, golden_pages: list[Path]) -> float:
    """Largest share of a golden page's mask pixels in which the lead images under ``out`` differ."""
    shares = []
    rows = {row["sha256"]: row for row in read_prepared(out)["pages"]}
    for page in golden_pages:
        row = rows[sha256_of(page)]
        folder = out / row["split"] / row["class"] / row["name"]
        different = total = 0
        for expected_path in sorted(page.with_suffix("").glob("*.png")):
            found, expected = Image.open(folder / expected_path.name), np.asarray(Image.open(expected_path))
            assert found.mode == "L"
            different += int((np.asarray(found) != expected).sum())
            total += expected.size
        shares.append(different / total)
    return max(shares)


def test_real_pages_reproduce_the_golden_lead_images(
    published_pages: Path, shared_dir: Path, golden_pages: list[Path], tmp_path: Path
) -> None:
    records = shared_dir / "data" / "records.csv"
    assert main(["prepare", str(published_pages), str(tmp_path / "out"), "--groups", str(records)]) == 0
    assert golden_difference(tmp_path / "out", golden_pages) <= GOLDEN_LIMIT
    assert len(list((tmp_path / "out").glob("*/*/*"))) == 409


def test_the_reference_road_reproduces_them_exactly(golden_pages: list[Path], few_pages: Path, tmp_path: Path) -> None:
    pages = [labelled(page, CLASS_FOLDERS[page.parent.name]) for page in golden_pages]
    prepare([*pages, *read_pages(few_pages)], tmp_path / "out", "published", 0, reference=True)
    assert golden_difference(tmp_path / "out", golden_pages) == 0


def test_lead_images_stand_in_page_order_by_split_and_class(prepared: Path) -> None:
    folders = sorted(prepared.glob("*/*/*"))
    assert {folder.parts[-3] for folder in folders} == set(SPLITS)
    assert {folder.parts[-2] for folder in folders} == set(CLASS_NAMES)
    assert len(folders) == 80
    for folder in folders:
        assert [path.name for path in sorted(folder.iterdir())] == [f"lead_{n:02d}.png" for n in range(1, 14)]


def test_training_sees_what_serving_sees(synthetic_pages: Path, prepared: Path) -> None:
    """The tensor read back from lead images equals the one made of the page's bytes."""
    paths = {page.sha256: page.path for page in read_pages(synthetic_pages)}
    images = load_lead_images(prepared, "test")
    assert len(images.pages) > 0
    for tensor, page in zip(images.tensors, images.pages, strict=True):
        np.testing.assert_array_equal(tensor, preprocess(paths[page["sha256"]].read_bytes(), MASKS_150))
    assert [CLASS_NAMES[label] for label in images.labels] == [page["class"] for page in images.pages]


def test_the_split_is_written_down(prepared: Path) -> None:
    summary = read_prepared(prepared)
    assert (summary["protocol"], summary["seed"], summary["road"]) == ("leak-free", 0, "fast")
    for page in summary["pages"]:
        assert (prepared / page["split"] / page["class"] / page["name"]).is_dir()


def test_preparing_again_changes_nothing(synthetic_pages: Path, prepared: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in prepared.rglob("*")}
    prepare(read_pages(synthetic_pages, synthetic_pages / "records.csv"), prepared, "leak-free", 0)
    assert {path: path.stat().st_mtime_ns for path in prepared.rglob("*")} == before


def test_another_preparation_is_not_mixed_in(synthetic_pages: Path, prepared: Path) -> None:
    with pytest.raises(DatasetError, match="or another preparation"):
        prepare(read_pages(synthetic_pages), prepared, "published", 0)


def test_a_page_that_cannot_be_read_is_named(synthetic_pages: Path, tmp_path: Path) -> None:
    pages = read_pages(synthetic_pages)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(pages[0].path.read_bytes()[:50_000])
    pages[0] = labelled(cut, pages[0].class_name)
    with pytest.raises(DatasetError, match=r"cut\.jpg: a JPEG that is damaged"):
        prepare(pages, tmp_path / "out", "published", 0)
    with pytest.raises(DatasetError, match="no finished preparation"):
        read_prepared(tmp_path / "out")
    prepare(read_pages(synthetic_pages), tmp_path / "out", "published", 0)
    assert len(list((tmp_path / "out").glob("*/*/*"))) == 80
