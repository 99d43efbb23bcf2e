"""docs/findings.md lists every finding of the network."""

from tests.conftest import REPOSITORY
from trainer.findings import FINDINGS


def test_page_of_findings_has_every_finding() -> None:
    text = (REPOSITORY / "docs" / "findings.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("- ")]
    assert rows == [f"- **{one.code}** {one.name}: {one.sentence}" for one in FINDINGS]
