"""A page whose header and footer are blank gets the same answer, as docs/security.md says."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from tests.factories import page_png
from tests.service.serving import serving, settings_for

HEADER, FOOTER = slice(0, 200), slice(1520, None)


@pytest.fixture(scope="module")
def shipped() -> Iterator[httpx.Client]:
    with serving(settings_for(REPOSITORY / "models")) as client:
        yield client


def as_png(page: bytes, *, blank: bool) -> bytes:
    gray = np.array(Image.open(BytesIO(page)).convert("L"))
    if blank:
        gray[HEADER] = gray[FOOTER] = 255
    content = BytesIO()
    Image.fromarray(gray).save(content, "PNG")
    return content.getvalue()


def check(client: httpx.Client, page: bytes) -> None:
    before, after = (client.post("/classify", content=as_png(page, blank=blank)).json() for blank in (False, True))
    for field in ("probabilities", "decision", "reasons", "leads", "findings"):
        assert after[field] == before[field]


def test_blank_header_and_footer_change_nothing(shipped: httpx.Client) -> None:
    check(shipped, page_png())


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.campaign)])
def test_blank_header_and_footer_of_real_pages_change_nothing(
    shipped: httpx.Client, golden_pages: list[Path], step: int
) -> None:
    for path in golden_pages[::step]:
        check(shipped, path.read_bytes())
