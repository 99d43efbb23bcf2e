"""The documents: their length, their readers, their links, and the names in them."""

import re
from pathlib import Path

import pytest

from gateway.settings import GatewaySettings
from service.app import create_app
from service.settings import Settings
from tests.conftest import REPOSITORY
from tests.service.serving import settings_for

DOCS = REPOSITORY / "docs"
GUIDES = [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md")), *sorted((DOCS / "deployment").glob("*.md"))]
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
EVIDENCE = sorted((DOCS / "evidence").glob("*.md"))
CODE = ("service", "trainer", "shared_preproc", "model_registry", "gateway", "benchmarks", "tests", "docker", "k8s")
CODE_FILES = (".py", ".c", ".yml", ".yaml", ".env", ".Dockerfile")
GUIDE_WORDS = 12_000
DECISION_WORDS = 200
UNDESCRIBED = {"/", "/docs", "/openapi.json", "/web/sample.jpg"}
"""Paths that the API description leaves out."""


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def words(path: Path) -> int:
    """Count the words, without the bars and rules of tables."""
    return sum(any(map(str.isalnum, token)) for token in path.read_text().split())


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def routes() -> list[str]:
    """The service's paths as regular expressions."""
    described = create_app(settings_for(REPOSITORY / "models")).openapi()["paths"]
    return [re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) for path in (*described, *UNDESCRIBED)]


def test_guides_stay_short() -> None:
    counts = {name(path): words(path) for path in GUIDES}
    assert sum(counts.values()) <= GUIDE_WORDS, counts


@pytest.mark.parametrize("path", DECISIONS, ids=name)
def test_decision_stays_short(path: Path) -> None:
    assert words(path) <= DECISION_WORDS


@pytest.mark.parametrize("path", [*GUIDES[1:], *EVIDENCE], ids=name)
def test_page_names_its_reader_first(path: Path) -> None:
    title, reader = path.read_text().split("\n\n")[:2]
    assert title.startswith("# ")
    assert reader.startswith("For ")


@pytest.mark.parametrize("path", [*GUIDES, *DECISIONS, *EVIDENCE, REPOSITORY / "CHANGELOG.md"], ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text()
    for link in [*re.findall(r"\]\((?!https?:)([^)]+)\)", text), *re.findall(r'src="([^"]+)"', text)]:
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", GUIDES, ids=name)
def test_settings_in_guide_exist(path: Path) -> None:
    named = set(re.findall(r"\bECG_([A-Z_]*[A-Z])\b", path.read_text()))
    gateway = {f"GATEWAY_{field.upper()}" for field in GatewaySettings.model_fields}
    assert named <= gateway | {field.upper() for field in Settings.model_fields}


@pytest.mark.parametrize("path", GUIDES, ids=name)
def test_routes_in_guide_exist(path: Path, routes: list[str]) -> None:
    text = path.read_text()
    named = re.findall(r"`(?:GET|HEAD|POST) (/[^`?\s]*)", text)
    named += re.findall(r"https?://(?:127\.0\.0\.1:8000|ecg\.example\.org)(/[\w/.-]*)", text)
    for route in named:
        assert any(re.fullmatch(one, route) for one in routes), route


def test_every_described_route_is_in_the_api_guide() -> None:
    text = (DOCS / "api.md").read_text()
    for path in create_app(settings_for(REPOSITORY / "models")).openapi()["paths"]:
        assert re.sub(r"/versions/\{version\}", "", path) in text


def test_documents_named_in_code_exist() -> None:
    for folder in CODE:
        for path in (REPOSITORY / folder).rglob("*"):
            if path.suffix in CODE_FILES or path.name.endswith(CODE_FILES):
                for page in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text()):
                    assert (REPOSITORY / page).exists(), f"{name(path)}: {page}"
