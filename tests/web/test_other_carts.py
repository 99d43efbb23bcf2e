"""The ECG of a recording, and of another cart's page."""

from collections.abc import Iterator

import pytest

from model_registry.registry import Registry
from shared_preproc.recording import RECORDED_LEADS
from tests.bundles import publish_readers
from tests.factories import page_jpeg
from tests.other_carts import other_page
from tests.service.process import environment, running
from tests.sources.dicoms import shipped_waveform
from tests.web.browser import Visit


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("readers")
    registry = Registry(folder)
    registry.promote(publish_readers(registry))
    with running(environment(folder)) as process:
        yield str(process.url)


def drawn_leads(visit: Visit) -> list[str]:
    visit.page.wait_for_selector("#ecg path.curve", state="attached")
    return [str(one.get_attribute("data-lead")) for one in visit.page.locator("#ecg g[data-lead]").all()]


def rows(visit: Visit) -> dict[str, tuple[float, float]]:
    """Where each lead's curve stands, in pixels from the left and the top."""
    boxes = {name: visit.page.locator(f'#ecg g[data-lead="{name}"] text').bounding_box() for name in drawn_leads(visit)}
    return {name: (box["x"], box["y"]) for name, box in boxes.items() if box}


def test_a_recording_is_drawn_without_pictures(visited: Visit) -> None:
    visited.start(shipped_waveform())
    assert set(drawn_leads(visited)) == set(RECORDED_LEADS)
    visited.details()
    assert "a recording (dicom" in visited.page.locator("#answer .details").inner_text()
    assert not visited.page.locator("#pictures").is_visible()
    assert not visited.page.locator('[data-tool="original"]').is_visible()
    visited.page.locator(".ecg-frame").press("o")
    assert visited.page.locator("#ecg path.curve").count() == 12
    assert visited.violations() == []


def test_another_carts_page_is_drawn_as_printed(visited: Visit) -> None:
    visited.start(other_page())
    at = rows(visited)
    assert set(at) == {*RECORDED_LEADS, "rhythm_strip"}
    assert at["I"][0] < at["aVR"][0] < at["V1"][0] < at["V4"][0]
    assert at["I"][1] < at["II"][1] < at["III"][1] < at["rhythm_strip"][1]
    assert "Not sure" in visited.page.locator("#cards").inner_text()
    assert visited.violations() == []
    # Its original is one key away.
    visited.page.locator(".ecg-frame").press("o")
    assert visited.page.locator("#ecg image").count() == 1
    assert visited.page.locator("#ecg .frames rect").count() == 0
    assert not visited.page.locator('[data-tool="boxes"]').is_visible()


def test_both_stand_beside_our_own_page(visited: Visit) -> None:
    visited.choose_many({"ours.jpg": page_jpeg(), "other.png": other_page()})
    for box in visited.page.locator("#many-list tbody input[type=checkbox]").all():
        box.check()
    visited.page.click('button:has-text("Side by side")')
    visited.page.wait_for_selector("#side .one-side:nth-child(2) path.curve", state="attached")
    assert visited.page.locator("#side .ecg-svg").count() == 2
