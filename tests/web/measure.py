"""What the page costs a person, measured: `python -m tests.web.measure`. Medians of ten visits."""

import statistics

from tests.conftest import REPOSITORY
from tests.factories import page_jpeg
from tests.service.process import environment, running
from tests.web.browser import chromium, visit

VISITS = 10
_INTERACTIVE = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
_SHOWN = "performance.measure('first result', 'answered', 'shown').duration"


def main() -> None:
    """Print bytes, and milliseconds until the page can be used and until an answer that arrived is on the screen."""
    measured: list[tuple[int, float, float]] = []
    with running(environment(REPOSITORY / "models")) as process, chromium() as browser:
        for _ in range(VISITS):
            with visit(browser, str(process.url)) as one:
                sizes = [request.sizes() for request in one.requests if not request.url.startswith("data:")]
                transferred = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
                one.choose(page_jpeg())
                measured.append((transferred, one.page.evaluate(_INTERACTIVE), one.page.evaluate(_SHOWN)))
    transferred, interactive_ms, shown_ms = (statistics.median(column) for column in zip(*measured, strict=True))
    print(f"{transferred / 1000:.0f} KB transferred, usable after {interactive_ms:.0f} ms, ", end="")  # noqa: T201
    print(f"the answer on the screen {shown_ms:.0f} ms after it arrived")  # noqa: T201


if __name__ == "__main__":
    main()
