"""One browser and one service with the shipped models for all tests of the page."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from tests.conftest import REPOSITORY
from tests.service.process import environment, running
from tests.service.serving import TIMEOUT_S
from tests.web.browser import CHROMIUM, Visit, chromium, visit

MODELS_DIR = REPOSITORY / "models"
NEEDS = "NEEDS A CHROMIUM: apt-get install chromium (or put chromium, chromium-browser or google-chrome on the PATH)"

Visiting = Callable[..., Visit]


# While Playwright runs, its event loop is the thread's, and no other test could start one: so for one file at most.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail(NEEDS)
        pytest.skip(NEEDS)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    with running(environment(MODELS_DIR)) as process:
        yield str(process.url)


@pytest.fixture
def visiting(browser: Browser, origin: str) -> Iterator[Visiting]:
    """Open the page, with settings of the browser's context; in the end nothing may have been complained of."""
    with ExitStack() as visits:

        def opened(address: str = origin, **context: Any) -> Visit:
            return visits.enter_context(visit(browser, address, **context))

        yield opened


@pytest.fixture
def visited(visiting: Visiting) -> Visit:
    """The page in a wide window."""
    return visiting()


@pytest.fixture(scope="session")
def client(origin: str) -> Iterator[httpx.Client]:
    """A program that asks the same service."""
    with httpx.Client(base_url=origin, timeout=TIMEOUT_S) as client:
        yield client
