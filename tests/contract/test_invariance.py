"""What must not move an answer: everything outside the lead boxes, and how the page's file was written."""

import io
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.reencoding import REENCODINGS, without_metadata
from model_registry.bundle import Bundle
from model_registry.registry import Registry
from service.models.loader import Catalog
from service.models.onnx import OnnxClassifier
from shared_preproc.layout import Layout
from shared_preproc.page import Gray, decode_page
from shared_preproc.pipeline import preprocess
from tests.bundles import shipped
from tests.conftest import REPOSITORY
from tests.factories import page_jpeg
from trainer.classes import CLASS_NAMES

CATALOG = Catalog(Registry(REPOSITORY / "models"))
MEDIAN_LIMIT = 0.05
"""How far re-encoding may move a page probability, in the median. Over all pages: benchmarks/reencoding.py."""


@pytest.fixture(scope="module", params=shipped())
def bundle(request: pytest.FixtureRequest) -> Bundle:
    reference: str = request.param
    return CATALOG.load(reference)


def png(gray: Gray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(gray).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def outside_of_boxes(page: Gray, layout: Layout) -> NDArray[np.bool_]:
    """Header, footer, margins, and what lies between the boxes."""
    outside = np.ones(page.shape, np.bool_)
    for _, box in layout.lead_boxes:
        outside[box.top : box.bottom, box.left : box.right] = False
    return outside


def swapped(page: Gray, other: Gray, layout: Layout) -> Gray:
    """A page's lead boxes on another page's paper."""
    return np.where(outside_of_boxes(page, layout), other, page)


def around(pages: Sequence[bytes], layout: Layout) -> Iterator[tuple[Gray, Gray]]:
    """Each page with the next, the last with the first."""
    grays = [decode_page(page, layout).gray for page in pages]
    return pairwise([*grays, grays[0]])


def check_that_paper_changes_nothing(pages: Sequence[bytes], bundle: Bundle) -> None:
    spec = bundle.manifest.preprocessing
    classifier = OnnxClassifier(bundle, wanted="cpu", threads=1)
    for page, other in around(pages, spec.layout):
        hybrid = swapped(page, other, spec.layout)
        assert (hybrid != page).sum() > 1000, "nothing was swapped"
        as_it_was, on_other_paper = (classifier.run(preprocess(png(gray), spec)[np.newaxis]) for gray in (page, hybrid))
        np.testing.assert_array_equal(on_other_paper.leads, as_it_was.leads)
        np.testing.assert_array_equal(on_other_paper.pages, as_it_was.pages)


def test_paper_of_another_class_changes_no_probability(bundle: Bundle) -> None:
    check_that_paper_changes_nothing([page_jpeg(name, 5) for name in CLASS_NAMES], bundle)


def test_paper_of_another_real_page_changes_no_probability(bundle: Bundle, golden_pages: list[Path]) -> None:
    by_class = [path for place in range(3) for path in golden_pages[place::3]]  # three a class, now one after the other
    assert all(one.parent != other.parent for one, other in pairwise(by_class))
    check_that_paper_changes_nothing([path.read_bytes() for path in by_class], bundle)


@pytest.mark.slow
def test_reencoding_hardly_moves_the_default_model(golden_pages: list[Path]) -> None:
    bundle = CATALOG.load("production")
    classifier = OnnxClassifier(bundle, wanted="cpu", threads=1)

    def answer(data: bytes) -> NDArray[np.float32]:
        found: NDArray[np.float32] = classifier.run(preprocess(data, bundle.manifest.preprocessing)[np.newaxis]).pages[
            0
        ]
        return found

    pages = [path.read_bytes() for path in golden_pages]
    before = np.stack([answer(page) for page in pages])
    for name in ("JPEG, quality 60", "gray JPEG, quality 95", "PNG"):
        after = np.stack([answer(REENCODINGS[name](page)) for page in pages])
        assert np.median(np.abs(after - before).max(axis=1)) <= MEDIAN_LIMIT, name


def test_metadata_goes_and_the_picture_stays() -> None:
    exif = Image.Exif()
    exif[0x010E] = "made by a test"  # ImageDescription
    buffer = io.BytesIO()
    Image.open(io.BytesIO(page_jpeg())).save(buffer, "JPEG", quality=90, exif=exif, comment=b"a comment")
    bare = without_metadata(buffer.getvalue())
    assert b"made by a test" in buffer.getvalue()
    assert b"made by a test" not in bare
    assert b"a comment" not in bare
    with Image.open(buffer) as before, Image.open(io.BytesIO(bare)) as after:
        np.testing.assert_array_equal(np.asarray(after), np.asarray(before))
