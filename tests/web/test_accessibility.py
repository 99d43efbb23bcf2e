"""axe-core finds nothing against WCAG 2.2 AA, in any state and both colour schemes."""

import pytest

from tests.factories import blank_png, heic, page_jpeg
from tests.web.browser import SECTIONS, Visit
from tests.web.conftest import Visiting

pytestmark = pytest.mark.slow

campaign = pytest.mark.campaign
both_schemes = pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=campaign)])


def everything_open(visit: Visit) -> None:
    for name in SECTIONS:
        visit.open(name)
    visit.page.click("#section-explanation button")
    visit.page.wait_for_selector("#section-explanation .chart")
    for ref in ("fusion/5", "crnn/1"):
        visit.page.click(f"[id='model-{ref}'] > summary")
        visit.page.wait_for_selector(f"[id='model-{ref}'] .plots")
    visit.page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")


@both_schemes
def test_empty(visiting: Visiting, scheme: str) -> None:
    visit = visiting(color_scheme=scheme)
    assert visit.violations() == []


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 360),
        ("dark", 1280),
        pytest.param("light", 1280, marks=campaign),
        pytest.param("dark", 360, marks=campaign),
    ],
)
def test_answered_with_everything_open(visiting: Visiting, scheme: str, width: int) -> None:
    visit = visiting(color_scheme=scheme, viewport={"width": width, "height": 900})
    visit.page.select_option("#other", "crnn/1")
    visit.choose(page_jpeg())
    everything_open(visit)
    visit.page.hover("#section-leads tr[data-lead=V3] td >> nth=0")
    assert visit.violations() == []
    assert visit.complaints == []


@both_schemes
@pytest.mark.parametrize("content", [heic(), blank_png()], ids=["no-page", "page-without-leads"])
def test_refused(visiting: Visiting, scheme: str, content: bytes) -> None:
    visit = visiting(color_scheme=scheme)
    visit.choose(content)
    assert visit.violations() == []


@both_schemes
def test_busy(visiting: Visiting, scheme: str) -> None:
    visit = visiting(color_scheme=scheme)
    visit.page.route("**/classify*", lambda _: None)  # never answered
    visit.page.click("#sample")
    visit.page.wait_for_selector("body[data-state=busy]")
    assert visit.violations() == []


@both_schemes
def test_signing_in(visiting: Visiting, scheme: str) -> None:
    visit = visiting(color_scheme=scheme)
    refusal = {"code": "unauthorized", "title": "a", "found": "b", "expected": "c", "remedy": "d", "request_id": "e"}
    visit.page.route("**/models", lambda route: route.fulfill(status=401, json=refusal))
    visit.page.reload()
    visit.page.wait_for_selector("#sign-in:not([hidden])")
    assert visit.violations() == []


@both_schemes
def test_the_page_for_programs(visiting: Visiting, scheme: str) -> None:
    visit = visiting(color_scheme=scheme)
    visit.page.click("nav a:has-text('For programs')")
    visit.page.wait_for_selector("main[aria-busy=false]")
    assert visit.violations() == []


@both_schemes
def test_many_pages_and_two_side_by_side(visiting: Visiting, scheme: str) -> None:
    visit = visiting(color_scheme=scheme)
    visit.choose_many({"a.jpg": page_jpeg(), "b.jpg": page_jpeg("abnormal_heartbeat", 3), "c.heic": heic()})
    assert visit.violations() == []
    for at in (0, 1):
        visit.page.locator(".many input[type=checkbox]").nth(at).check()
    visit.page.click("text=Two side by side")
    visit.page.wait_for_selector(".sides svg.ecg-svg g")
    assert visit.violations() == []


@both_schemes
def test_help_and_spanish(visiting: Visiting, scheme: str) -> None:
    visit = visiting(color_scheme=scheme)
    visit.page.select_option("#language", "es")
    visit.page.wait_for_selector("html[lang=es]")
    visit.choose(page_jpeg())
    visit.page.click("[data-tool=calipers]")
    assert visit.violations() == []
    visit.page.click("#help-open")
    assert visit.violations() == []
