"""The page's four states as pictures for the documentation: `python -m tests.web.screenshots`. All pages are drawn.

With a folder as argument also by phone, in the dark, and with everything open, to be looked at.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser

from tests.conftest import REPOSITORY
from tests.factories import page_jpeg, page_without_leads_png
from tests.service.process import environment, running
from tests.web.browser import SECTIONS, Visit, chromium, visit

IMAGES = REPOSITORY / "docs" / "images"
WIDE = {"viewport": {"width": 1120, "height": 800}}
FORMS: dict[str, dict[str, Any]] = {
    "wide": WIDE,
    "dark": {**WIDE, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 780}, "is_mobile": True},
}

# Pages that the shipped model reports and refers; which they are is a matter of chance, since none is a patient's.
STATES: dict[str, Callable[[Visit], None]] = {
    "empty": lambda _: None,
    "reported": lambda one: one.choose(page_jpeg("normal", 2)),
    "referred": lambda one: one.choose(page_jpeg("abnormal_heartbeat", 3)),
    "refused": lambda one: one.choose(page_without_leads_png()),
}


def _shoot(
    browser: Browser, origin: str, path: Path, state: str, form: dict[str, Any], sections: tuple[str, ...]
) -> None:
    with visit(browser, origin, **form) as one:
        STATES[state](one)
        assert one.page.get_attribute("body", "data-state") == {"empty": "empty", "refused": "refused"}.get(
            state, "answered"
        )
        assert state not in {"reported", "referred"} or one.page.locator(f".banner.{state}").count(), f"not {state}"
        for name in sections:
            one.open(name)
        one.page.screenshot(path=path, full_page=True)
    # A third of the bytes, and no colour lost that says something.
    picture = Image.open(path).convert("RGB")
    picture.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)


def main(looked_at: Path | None) -> None:
    """Draw the four states into docs/images, or every form of them into a folder to be looked at."""
    folder = looked_at or IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with running(environment(REPOSITORY / "models")) as process, chromium() as browser:
        for state in STATES:
            for name, form in (FORMS if looked_at else {"wide": WIDE}).items():
                path = folder / (f"{state}-{name}.png" if looked_at else f"page-{state}.png")
                sections = SECTIONS if looked_at and state in {"reported", "referred"} else ()
                _shoot(browser, str(process.url), path, state, form, sections)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
