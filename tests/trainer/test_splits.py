"""Splits: what may stand on which side."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.classes import CLASS_NAMES
from trainer.config import PROTOCOLS, Protocol
from trainer.dataset import LabelledPage, read_pages
from trainer.errors import DatasetError
from trainer.splits import SPLITS, split_pages


def page(number: int, class_name: str, *, sha256: str = "", group: str = "") -> LabelledPage:
    sha256 = sha256 or f"{class_name}-{number}"
    name = f"{class_name}-{number}"
    return LabelledPage(Path(f"{name}.jpg"), class_name, name, sha256, sha256, group or sha256)


@st.composite
def data_sets(draw: st.DrawFn) -> list[LabelledPage]:
    """Four classes of 20 to 40 pages, some of them copies, some sharing a record within or across classes."""
    pages: list[LabelledPage] = []
    for class_name in CLASS_NAMES:
        for number in range(draw(st.integers(20, 40))):
            group = draw(st.one_of(st.just(""), st.integers(0, 30).map(lambda record: f"record {record}")))
            original = page(number, class_name, group=group)
            pages += [original] * draw(st.sampled_from([1, 1, 1, 2, 8]))
    return pages


@settings(max_examples=25)
@given(data_sets(), st.integers(0, 5))
def test_leak_free_keeps_copies_out_and_groups_together(pages: list[LabelledPage], seed: int) -> None:
    parts = split_pages(pages, "leak-free", seed)
    kept = [page.sha256 for members in parts.values() for page in members]
    assert sorted(kept) == sorted({page.sha256 for page in pages})
    sides = {page.group: split for split, members in parts.items() for page in members}
    assert all(sides[page.group] == split for split, members in parts.items() for page in members)


@settings(max_examples=10)
@given(data_sets(), st.integers(0, 5), st.sampled_from(PROTOCOLS))
def test_the_seed_decides(pages: list[LabelledPage], seed: int, protocol: Protocol) -> None:
    assert split_pages(pages, protocol, seed) == split_pages(pages, protocol, seed)


def test_another_seed_gives_another_split() -> None:
    pages = [page(number, name) for name in CLASS_NAMES for number in range(40)]
    for protocol in PROTOCOLS:
        assert split_pages(pages, protocol, 0) != split_pages(pages, protocol, 1)


def test_published_divides_all_files_of_each_class() -> None:
    pages = [page(number, name) for name in CLASS_NAMES for number in range(100)]
    parts = split_pages(pages, "published", 0)
    for split, share in zip(SPLITS, (70, 15, 15), strict=True):
        assert Counter(page.class_name for page in parts[split]) == dict.fromkeys(CLASS_NAMES, share)


def test_one_image_under_two_classes_is_refused() -> None:
    pages = [page(number, name) for name in CLASS_NAMES for number in range(20)]
    pages.append(page(99, "normal", sha256=pages[0].sha256))
    with pytest.raises(DatasetError, match="one image under two classes"):
        split_pages(pages, "leak-free", 0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_too_few_pages_are_refused(protocol: Protocol) -> None:
    with pytest.raises(DatasetError, match="too few"):
        split_pages([page(number, "normal") for number in range(2)], protocol, 0)


def test_too_rare_a_class_is_refused() -> None:
    pages = [page(number, name) for name in CLASS_NAMES[1:] for number in range(40)]
    pages += [page(number, CLASS_NAMES[0]) for number in range(19)]
    with pytest.raises(DatasetError, match="19 pages of abnormal_heartbeat are too few"):
        split_pages(pages, "leak-free", 0)


@pytest.mark.slow
def test_real_pages_leak_free(published_pages: Path, shared_dir: Path) -> None:
    pages = read_pages(published_pages, shared_dir / "data" / "records.csv")
    parts = split_pages(pages, "leak-free", 0)
    assert sum(len(members) for members in parts.values()) == 409
    for split, share in zip(SPLITS, (0.70, 0.15, 0.15), strict=True):
        assert len(parts[split]) == pytest.approx(409 * share, abs=0.02 * 409)
        assert {page.class_name for page in parts[split]} == set(CLASS_NAMES)


@pytest.mark.slow
def test_published_split_scores_copies_of_training_pages(published_pages: Path) -> None:
    parts = split_pages(read_pages(published_pages), "published", 0)
    trained = {page.sha256 for page in parts["train"]}
    infarctions = [page for page in parts["validation"] if page.class_name == "myocardial_infarction"]
    assert all(page.sha256 in trained for page in infarctions)
