"""What the page costs: bytes, time until it can be used, time until the answer is on the screen. And its policy."""

import pytest

from tests.factories import page_jpeg, page_png
from tests.web.browser import Visit
from tests.web.conftest import Visiting

MAX_TRANSFER_BYTES = 200_000
# `python -m tests.web.measure` gives 0.4 s and 34 ms, where 1 s and 300 ms are wanted. A loaded machine is given more.
MAX_INTERACTIVE_MS = 3000
MAX_SHOWN_MS = 900


def test_the_page_is_small_and_soon_of_use(visiting: Visiting) -> None:
    visit = visiting()
    sizes = [request.sizes() for request in visit.requests if not request.url.startswith("data:")]
    assert sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) <= MAX_TRANSFER_BYTES
    loaded_ms = visit.page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert loaded_ms <= MAX_INTERACTIVE_MS


@pytest.mark.parametrize("content", [page_jpeg(), page_png()], ids=["jpeg", "png"])
def test_the_answer_is_on_the_screen_soon_after_it_arrived(visited: Visit, content: bytes) -> None:
    visited.choose(content)
    took_ms = visited.page.evaluate("performance.measure('first result', 'answered', 'shown').duration")
    assert 0 < took_ms <= MAX_SHOWN_MS


def test_the_strict_policy_holds_and_nothing_runs_against_it(visited: Visit) -> None:
    visited.choose(page_jpeg())
    for name in ("page", "gray", "divided", "preprocessed", "leads", "raw"):
        visited.open(name)
    responses = [request.response() for request in visited.requests if "data:" not in request.url]
    policies = [response.headers["content-security-policy"] for response in responses if response]
    assert len(set(policies)) == 1
    assert "default-src 'none'" in policies[0]
    assert "unsafe" not in policies[0]
    assert visited.complaints == [], "a violation would be one"
