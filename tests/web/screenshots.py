"""Draw the pictures of the documentation: ``python -m tests.web.screenshots``. All pages are synthetic.

With a folder as argument, draw every state there instead: wide, dark and by phone, with all sections open.
"""

import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from PIL import Image

from tests.conftest import REPOSITORY
from tests.factories import page_png, page_without_leads_png
from tests.service.process import environment, running
from tests.web.browser import SECTIONS, Visit, chromium, visit

IMAGES = REPOSITORY / "docs" / "images"
PICTURES = {
    "page-referred": ("referred", "body"),
    "answer": ("reported", "#answer"),
    "leads": ("reported", "#section-page"),
}
"""File names in docs/images, with the state and the element that each one shows."""
WIDE = {"viewport": {"width": 1120, "height": 800}}
FORMS: dict[str, dict[str, Any]] = {
    "wide": WIDE,
    "dark": {**WIDE, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 780}, "is_mobile": True},
}

# Pages that the shipped model reports and refers; which they are is a matter of chance, since none is a patient's.
STATES: dict[str, Callable[[Visit], None]] = {
    "empty": lambda _: None,
    "reported": lambda one: one.choose(page_png("normal", 5)),
    "referred": lambda one: one.choose(page_png("abnormal_heartbeat", 3)),
    "refused": lambda one: one.choose(page_without_leads_png()),
}


def _reach(one: Visit, state: str) -> None:
    STATES[state](one)
    one.page.locator("#answer small:empty").wait_for(
        state="detached"
    )  # What the model's card says comes a little later.
    for shown in ("reported", "referred", "refused"):
        found = one.page.locator(f".banner.{shown}:visible").count() > 0
        assert found is (shown == state), f"{state} is wanted, {shown} is {'' if found else 'not '}shown"


def _save(one: Visit, path: Path, element: str = "body") -> None:
    if element == "body":
        one.page.screenshot(path=path, full_page=True)
    else:
        one.page.locator(element).screenshot(path=path)
    # A third of the bytes; by this method no colour is off by more than 13 of 255 levels.
    few = Image.open(path).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def main(looked_at: Path | None) -> None:
    """Draw docs/images, or every state in every form into a folder to be looked at."""
    folder = looked_at or IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with running(environment(REPOSITORY / "models")) as process, chromium() as browser:
        if looked_at:
            for state, (name, form) in product(STATES, FORMS.items()):
                with visit(browser, str(process.url), **form) as one:
                    _reach(one, state)
                    if one.page.locator("#answers").is_visible():
                        one.open(*SECTIONS)
                    _save(one, folder / f"{name}-{state}.png")
            return
        for name, (state, element) in PICTURES.items():
            with visit(browser, str(process.url), **WIDE) as one:
                _reach(one, state)
                _save(one, folder / f"{name}.png", element)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
