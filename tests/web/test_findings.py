"""Findings, the two networks, rhythm and the meaning of classes, as a person sees them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_registry.classes import CLASS_MEANINGS
from model_registry.policy import SitePolicy
from model_registry.registry import Registry
from tests.bundles import FINDINGS, Said, policy, publish_readers, publish_tiny, reader_rules
from tests.factories import page_jpeg
from tests.service.process import environment, running
from tests.service.serving import TIMEOUT_S
from tests.web.browser import SECTIONS, Visit
from tests.web.conftest import Visiting

FAST = page_jpeg("abnormal_heartbeat", 1)
SLOW = page_jpeg("abnormal_heartbeat", 0)
IRREGULAR = page_jpeg("abnormal_heartbeat", 3)
REGULAR = page_jpeg("normal", 2)


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """readers/1, the default, whose networks differ; readers/2, whose networks agree; tiny/1 without findings."""
    folder = tmp_path_factory.mktemp("findings")
    registry = Registry(folder)
    said = Said(
        page=(0.6, 0.1, 0.1, 0.2),
        class_network=(0.9, 0.03, 0.03, 0.04),
        findings_network=(0.2, 0.05, 0.05, 0.7),
        findings=(0.02, 0.62, 0.91),
    )
    registry.promote(publish_readers(registry, said=said))
    publish_readers(registry, said=Said(findings=(0.1, 0.1, 0.1)))
    publish_tiny(registry)
    return folder


@pytest.fixture(scope="module")
def origin(models_dir: Path) -> Iterator[str]:
    with running(environment(models_dir)) as process:
        yield str(process.url)


@pytest.fixture(scope="module")
def client(origin: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=origin, timeout=TIMEOUT_S) as client:
        yield client


def part(visit: Visit, title: str) -> str:
    if not visit.page.locator("#answer .details[open]").count():
        visit.details()
    return visit.page.locator(f'#answer section:has(h4:text-is("{title}"))').inner_text()


def test_present_findings_come_first_with_their_sentences(visited: Visit) -> None:
    visited.choose(REGULAR)
    glance = visited.page.locator("#answer .parts > section .findings.present > li")
    assert glance.all_inner_texts() == ["Myocardial infarction\n91%", "Atrial fibrillation\n62%"]
    visited.details()
    shown = visited.page.locator("#answer .details .findings.present > li")
    shown.nth(1).filter(has_text=FINDINGS[1].sentence).wait_for()
    assert shown.all_inner_texts() == [
        f"Myocardial infarction\n91%\nat or above its threshold, 30%\n{FINDINGS[2].sentence}",
        f"Atrial fibrillation\n62%\nat or above its threshold, 40%\n{FINDINGS[1].sentence}",
    ]


def test_other_findings_open_on_demand(visited: Visit) -> None:
    visited.choose(REGULAR)
    absent = visited.page.locator("#answer .findings.absent > li")
    assert not absent.first.is_visible()
    visited.details()
    assert "Normal ECG" in absent.first.inner_text()
    assert "2%" in absent.first.inner_text()


def test_no_finding_is_said(visited: Visit) -> None:
    visited.page.select_option("#model", "readers/2")
    visited.choose(REGULAR)
    assert "No finding reaches its threshold." in part(visited, "Findings")
    assert visited.page.locator("#answer .findings.absent > li").count() == 3


def test_a_model_without_findings_shows_no_list(visited: Visit) -> None:
    visited.page.select_option("#model", "tiny/1")
    visited.choose(REGULAR)
    titles = visited.page.locator("#answer h4").all_text_contents()
    assert titles == [
        "How probable",
        "Measured on the page",
        "Decision",
        "How well the page was read",
        "Where the answer comes from",
    ]


@pytest.mark.parametrize(("model", "same"), [("readers/1", "no"), ("readers/2", "yes")])
def test_both_networks_are_shown_with_whether_they_agree(visited: Visit, model: str, same: str) -> None:
    visited.page.select_option("#model", model)
    visited.choose(REGULAR)
    words = part(visited, "The model's two networks")
    assert re.search(rf"Same class\s+{same}$", words)
    if same == "no":
        assert re.search(r"Class network\s+Abnormal heartbeat, 90%\s+Findings network\s+Normal, 70%", words)


@pytest.mark.parametrize(
    ("model", "page", "name"),
    [
        ("readers/1", FAST, "Tachycardia"),
        ("tiny/1", SLOW, "Bradycardia"),
    ],
)
def test_an_abnormal_rate_stands_among_the_findings(visited: Visit, model: str, page: bytes, name: str) -> None:
    visited.page.select_option("#model", model)
    visited.choose(page)
    rate = visited.answer()["measurements"]["heart_rate_bpm"]
    first = visited.page.locator("#answer .findings.present > li").first
    assert first.inner_text() == f"{name}\n{rate:.0f}/min"
    assert f"{name}, {rate:.0f}/min, regular" in part(visited, "Measured on the page")


@pytest.mark.parametrize(("page", "word"), [(REGULAR, "regular"), (IRREGULAR, "irregular")])
def test_the_rhythm_is_said(visited: Visit, page: bytes, word: str) -> None:
    visited.choose(page)
    assert re.search(rf"\d/min, {word}\b", part(visited, "Measured on the page"))


def test_each_class_says_what_it_means(visited: Visit) -> None:
    visited.choose(REGULAR)
    meanings = visited.page.locator("#answer .meaning")
    assert meanings.count() == len(CLASS_MEANINGS)
    assert all(meanings.all_inner_texts())
    assert "disease not ruled out" in meanings.last.inner_text()


def test_findings_and_networks_are_copied_as_text(visiting: Visiting) -> None:
    visit = visiting(permissions=["clipboard-read", "clipboard-write"])
    visit.choose(FAST)
    visit.page.click("#copy")
    visit.page.wait_for_selector("#status:has-text('Copied as text.')")
    lines = visit.page.evaluate("navigator.clipboard.readText()").split("\n")
    assert "Findings: Myocardial infarction 91%, Atrial fibrillation 62%" in lines
    assert "Class network: Abnormal heartbeat, 90%" in lines
    assert "Findings network: Normal, 70%" in lines
    assert any(line.startswith("Heart rate: Tachycardia, ") for line in lines)


def many_findings(client: httpx.Client) -> dict[str, Any]:
    """An answer with 32 findings, 12 of them present, and with three reasons."""
    answer: dict[str, Any] = client.post("/classify", content=FAST).json()
    some = answer["findings"]
    answer["findings"] = [some[at % 3] | {"name": "inferior infarction", "present": at < 12} for at in range(32)]
    answer["reasons"] += answer["reasons"][:1]
    return answer


@pytest.mark.parametrize("other", ["", pytest.param("readers/2", marks=pytest.mark.campaign)])
def test_findings_fit_on_one_page_of_a4(visited: Visit, client: httpx.Client, other: str) -> None:
    answer = many_findings(client)
    if not other:
        visited.page.route("**/classify*", lambda route: route.fulfill(json=answer))
    visited.page.select_option("#other", other)
    visited.choose(FAST)
    visited.open(*SECTIONS)
    pdf = visited.page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 360),
        pytest.param("dark", 1280, marks=pytest.mark.campaign),
        pytest.param("light", 1280, marks=pytest.mark.campaign),
        pytest.param("dark", 360, marks=pytest.mark.campaign),
    ],
)
def test_findings_are_accessible(visiting: Visiting, scheme: str, width: int) -> None:
    visit = visiting(color_scheme=scheme, viewport={"width": width, "height": 900})
    visit.choose(FAST)
    visit.page.evaluate("document.querySelectorAll('.answer details').forEach((one) => (one.open = true))")
    assert visit.violations() == []
    assert visit.width_overflow_px == 0
    assert visit.complaints == []


def test_a_site_policy_is_named(visiting: Visiting, models_dir: Path, tmp_path: Path) -> None:
    site = SitePolicy.model_validate(
        {
            "site": "St. Elsewhere",
            "created_at": "2026-11-29T06:00:00Z",
            "model_sha256": Registry(models_dir).load("readers/1").manifest.model_sha256,
            "decision": policy(readers=reader_rules()),
            "figures": {},
        }
    )
    path = tmp_path / "policy.json"
    path.write_text(site.model_dump_json())
    with running(environment(models_dir, ECG_SITE_POLICY=str(path))) as process:
        visit = visiting(str(process.url))
        visit.choose(REGULAR)
        assert "from this site's policy, not from the model" in part(visit, "Where the answer comes from")
