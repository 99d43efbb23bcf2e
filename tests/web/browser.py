"""A real Chromium, and a person's way through the page."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

__all__ = ["CHROMIUM", "SECTIONS", "Visit", "chromium", "visit"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECTIONS = ("page", "gray", "divided", "preprocessed", "leads", "explanation", "raw")
TIMEOUT_MS = 60_000
_ATTEMPTS = 5

# Containers give a browser neither its sandbox nor a large /dev/shm.
_ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
_AXE = files("axe_playwright_python").joinpath("axe.min.js")
_AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser of this machine; every visit has a fresh context in it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """One person with the page open, and all that the browser complained of or asked for."""

    def __init__(self, page: Page, origin: str, folder: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[Request] = []
        self._origin = origin
        self._folder = folder
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._note)
        self._open()

    def _open(self) -> None:
        """Load the page; again where Chromium gave up its connections, as it does when a container comes or goes."""
        for _ in range(_ATTEMPTS):
            self.complaints.clear()
            self.requests.clear()
            self.page.goto(self._origin)
            if not any("ERR_NETWORK_CHANGED" in one for one in self.complaints):
                break
        self.page.wait_for_selector("#model optgroup, #sign-in:not([hidden])", state="attached")

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    def choose(self, content: bytes) -> None:
        """Choose a file in the dialogue, and wait for what comes of it."""
        self.start(content)
        self.wait()

    def start(self, content: bytes) -> None:
        """Choose a file. From a folder, as Playwright takes half a minute for 14 MB that are in memory."""
        path = self._folder / "Jane Doe.jpg"
        path.write_bytes(content)
        self.page.set_input_files("#file", path)

    def choose_many(self, contents: dict[str, bytes]) -> None:
        """Choose several files by name, and wait until each has its row's last word."""
        self.start_many(contents)
        self.page.wait_for_selector("#many-told:has-text(', 0 to come')")

    def start_many(self, contents: dict[str, bytes]) -> None:
        """Choose several files by name."""
        for name, content in contents.items():
            (self._folder / name).write_bytes(content)
        self.page.set_input_files("#file", [self._folder / name for name in contents])

    def details(self) -> None:
        """Open the answer's details."""
        self.page.click("#answer .details > summary")

    def wait(self) -> None:
        """Wait until an answer or a refusal is there, with the pictures that belong to it."""
        answered = "body[data-state=answered]:has(#paper svg)"
        refused = "body[data-state=refused]:has(#refusal figure):has(#pictures[hidden], #section-page canvas)"
        self.page.wait_for_selector(f"{answered}, {refused}")

    def open(self, *sections: str) -> None:
        """Open these sections, and wait until they are drawn."""
        for name in sections:
            body = self.page.locator(f"#section-{name} > .body")
            if not body.is_visible():
                self.page.click(f"#section-{name} > summary")
            body.locator(":scope > *").first.wait_for(state="attached")

    def answer(self) -> dict[str, Any]:
        """The answer as the section for programs shows it."""
        self.open("raw")
        shown: dict[str, Any] = json.loads(self.page.locator("#section-raw pre").nth(1).inner_text())
        return shown

    def violations(self) -> list[str]:
        """What axe-core finds against WCAG 2.2 at levels A and AA, each with the first element that it is about."""
        self.page.evaluate(_AXE.read_text("utf-8"))
        options = {"runOnly": {"type": "tag", "values": _AXE_TAGS}, "resultTypes": ["violations"]}
        found = self.page.evaluate("options => axe.run(document, options)", options)["violations"]
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary']}" for one in found]

    @property
    def elsewhere(self) -> list[str]:
        """Addresses of requests that left the origin."""
        own = urlsplit(self._origin).netloc
        addresses = [urlsplit(request.url) for request in self.requests]
        return [one.geturl() for one in addresses if one.scheme not in {"data", "blob"} and one.netloc != own]

    @property
    def width_overflow_px(self) -> int:
        """How far the page could be scrolled sideways."""
        overflow: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return overflow


@contextmanager
def visit(browser: Browser, origin: str, **context: Any) -> Iterator[Visit]:
    """Open the page in a context of its own; nothing may be asked of other hosts."""
    opened = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | context))
    opened.set_default_timeout(TIMEOUT_MS)
    with TemporaryDirectory() as folder, closing(opened):
        one = Visit(opened.new_page(), origin, Path(folder))
        yield one
        assert one.elsewhere == []
