"""Signing in with the service's own key, where it asks for one; and what else it refuses its callers."""

from collections.abc import Iterator

import httpx
import pytest

from service.auth.keys import new_key
from tests.factories import page_jpeg
from tests.service.process import environment, running
from tests.web.browser import Visit
from tests.web.conftest import MODELS_DIR, Visiting

KEY, LINE = new_key("ward")
OTHER_KEY, OTHER_LINE = new_key("archive")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that asks for a key, and lets each caller make thirty requests a minute."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(f"{LINE}\n{OTHER_LINE}\n")
    settings = {"ECG_KEYS_FILE": str(keys), "ECG_RATE_LIMIT_PER_MINUTE": "30"}
    with running(environment(MODELS_DIR, **settings)) as process:
        yield str(process.url)


def sign_in(visit: Visit, key: str) -> None:
    visit.page.fill("#key", key)
    visit.page.press("#key", "Enter")


def test_a_visitor_is_asked_for_a_key_and_then_served(visiting: Visiting, guarded: str) -> None:
    visit = visiting(guarded)
    assert visit.page.locator("#status").inner_text() == "This service asks for a key."
    assert visit.page.locator("#key-problem").inner_text() == "", "nobody has done anything wrong yet"
    sign_in(visit, f" {KEY} ")
    visit.page.wait_for_selector("#model optgroup", state="attached")
    assert not visit.page.locator("#sign-in").is_visible()
    visit.choose(page_jpeg())
    assert visit.page.locator("#answer").is_visible()
    visit.open("raw")
    command = visit.page.locator("#section-raw pre").first.inner_text()
    assert '-H "Authorization: Bearer $ECG_KEY"' in command
    assert KEY not in visit.page.content()


def test_a_wrong_key_is_told_with_what_to_do(visiting: Visiting, guarded: str) -> None:
    visit = visiting(guarded)
    sign_in(visit, "ecg_wrong")
    visit.page.wait_for_selector("#key-problem:not(:empty)")
    assert visit.page.locator("#key-problem").inner_text().startswith("Found: ")
    assert visit.page.locator("#sign-in").is_visible()


def test_a_page_that_came_before_the_key_is_read_after_it(visiting: Visiting, guarded: str) -> None:
    visit = visiting(guarded)
    visit.choose(page_jpeg())
    assert visit.page.locator("#refusal h3").inner_text() == "A valid key or token is needed"
    sign_in(visit, KEY)
    visit.page.wait_for_selector("#answer:not([hidden])")


def test_the_key_is_gone_when_the_page_is_reloaded(visiting: Visiting, guarded: str) -> None:
    visit = visiting(guarded)
    sign_in(visit, KEY)
    visit.page.wait_for_selector("#model optgroup", state="attached")
    visit.page.reload()
    visit.page.wait_for_selector("#sign-in:not([hidden])")
    assert visit.page.input_value("#key") == ""
    assert visit.page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]


def test_too_many_requests_are_told(visiting: Visiting, guarded: str) -> None:
    visit = visiting(guarded)
    sign_in(visit, OTHER_KEY)
    visit.page.wait_for_selector("#model optgroup", state="attached")
    with httpx.Client(base_url=guarded, headers={"Authorization": f"Bearer {OTHER_KEY}"}) as program:
        while program.get("/models").is_success:
            pass
    visit.choose(page_jpeg())
    assert visit.page.locator("#refusal h3").inner_text() == "Too many requests of one caller"


def test_a_service_that_asks_for_no_key_shows_no_field(visited: Visit) -> None:
    assert not visited.page.locator("#sign-in").is_visible()
