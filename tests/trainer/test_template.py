"""What a page gives away without its curves."""

from pathlib import Path

import numpy as np
import pytest

from shared_preproc.leads import LEADS
from shared_preproc.masks import INK
from shared_preproc.page import decode_page
from shared_preproc.pipeline import PageReading, read_page
from shared_preproc.spec import TRACES_50_HZ
from trainer.template import read_template

LAYOUT = TRACES_50_HZ.layout


@pytest.fixture
def page_data(few_pages: Path) -> bytes:
    return next((few_pages / "Normal").glob("*.jpg")).read_bytes()


def test_the_curves_are_gone_from_what_a_fusion_network_reads(golden_pages: list[Path]) -> None:
    for path in golden_pages:
        page = decode_page(path.read_bytes(), LAYOUT)
        assert not read_template(page, read_page(page, TRACES_50_HZ), TRACES_50_HZ).traces.any()


def test_a_name_is_seen_only_where_the_curve_leaves_it_alone(page_data: bytes) -> None:
    page = decode_page(page_data, LAYOUT)
    reading = read_page(page, TRACES_50_HZ)
    drowned = {lead: np.full_like(mask, INK) for lead, mask in reading.masks.items()}
    names = read_template(page, reading, TRACES_50_HZ).names.reshape(len(LEADS), -1)
    assert np.nanmax(names) > 0.3
    assert np.isnan(read_template(page, PageReading(drowned, reading.traces), TRACES_50_HZ).names).all()


def test_paper_is_described_away_from_the_ink(page_data: bytes) -> None:
    page = decode_page(page_data, LAYOUT)
    paper = read_template(page, read_page(page, TRACES_50_HZ), TRACES_50_HZ).paper.reshape(len(LEADS), -1)
    means, lowest = paper[:, 0], paper[:, 2]
    assert (means > 150).all()
    assert (lowest > 60).all()  # ink is black
