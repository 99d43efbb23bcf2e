"""Draw the pictures of the documentation: ``python -m tests.web.screenshots [FOLDER]``. All pages are synthetic.

Each picture is a state of the page; what a state has to show is checked before it is drawn.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from tests.conftest import REPOSITORY
from tests.factories import heic, page_jpeg, page_png
from tests.service.process import environment, running
from tests.web.browser import Visit, chromium, visit

IMAGES = REPOSITORY / "docs" / "images"
MAX_BYTES = 100_000
WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True}


@dataclass(frozen=True)
class State:
    """How a picture comes about, and an element that proves it."""

    reach: Callable[[Visit], None]
    shows: str
    context: dict[str, Any] = field(default_factory=lambda: WIDE)


def _infarction(one: Visit) -> None:
    one.page.click("#sample")
    one.wait()


def _normal(one: Visit) -> None:
    one.choose(page_png("normal", 5))


def _unsure(one: Visit) -> None:
    one.choose(page_png("abnormal_heartbeat", 6))


def _calipers(one: Visit) -> None:
    _infarction(one)
    for _ in range(4):
        one.page.click("#ecg [aria-label='Zoom in']")
    one.page.click("[data-tool=calipers]")


def _spanish(one: Visit) -> None:
    _normal(one)
    one.page.select_option("#language", "es")
    one.page.wait_for_selector("html[lang=es]")


def _many(one: Visit) -> None:
    pages = {f"ward 3, page {seed}.jpg": page_jpeg("abnormal_heartbeat", seed) for seed in range(3)}
    pages |= {f"page {seed}.jpg": page_jpeg("normal", seed) for seed in range(4)}
    one.choose_many(pages | {"notes.heic": heic()})
    one.page.wait_for_selector(".many tbody tr:last-child canvas")


def _beside(one: Visit) -> None:
    _many(one)
    for at in (1, 5):
        one.page.locator(".many input[type=checkbox]").nth(at).check()
    one.page.click("text=Two side by side")
    one.page.wait_for_selector(".sides svg.ecg-svg .curve")


# Which verdict the shipped model gives on a synthetic page is a matter of chance, since none is a patient's.
STATES = {
    "answer": State(_infarction, ".banner.infarction"),
    "page-normal": State(_normal, ".banner.normal"),
    "page-unsure": State(_unsure, ".banner.unsure"),
    "page-phone": State(_infarction, ".banner.infarction", PHONE),
    "page-dark-spanish": State(_spanish, "html[lang=es]", {**WIDE, "color_scheme": "dark"}),
    "leads": State(_calipers, ".calipers .reads"),
    "many": State(_many, ".many .chip.failed"),
    "side-by-side": State(_beside, ".sides .curve"),
}
"""By file name in docs/images."""


def _save(one: Visit, path: Path) -> None:
    one.page.mouse.move(0, 0)
    one.page.screenshot(path=path, animations="disabled")
    # A third of the bytes; by this method no colour is off by more than 13 of 255 levels.
    few = Image.open(path).convert("RGB").quantize(64, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    size = path.stat().st_size
    assert size <= MAX_BYTES, f"{path.name} has {size} bytes, at most {MAX_BYTES} are wanted"


def main(folder: Path) -> None:
    """Draw every state into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with running(environment(REPOSITORY / "models")) as process, chromium() as browser:
        for name, state in STATES.items():
            with visit(browser, str(process.url), **state.context) as one:
                state.reach(one)
                one.page.locator(state.shows).first.wait_for(state="attached")
                _save(one, folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
