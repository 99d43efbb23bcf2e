"""A page's doubts and its policy's reasons together, and every code in the documents."""

import inspect
import re
from types import ModuleType

import pytest

import model_registry.decision
import shared_preproc.evidence
from model_registry.decision import PageAnswer
from service.decide import decide
from shared_preproc.evidence import Doubt
from tests.bundles import CLASS_NAMES, policy
from tests.conftest import REPOSITORY

SURE = PageAnswer(dict(zip(CLASS_NAMES, (0.03, 0.01, 0.01, 0.95), strict=True)))
UNSURE = PageAnswer(dict(zip(CLASS_NAMES, (0.38, 0.01, 0.01, 0.6), strict=True)))
DOUBT = Doubt("faint_trace", "Lead V1 covers 0.62 of its box.")


@pytest.mark.parametrize(
    ("answer", "doubts", "codes"),
    [
        (SURE, (), []),
        (SURE, (DOUBT,), ["faint_trace"]),
        (UNSURE, (), ["uncertain"]),
        (UNSURE, (DOUBT, Doubt("odd_grid", "No grid.")), ["faint_trace", "odd_grid", "uncertain"]),
    ],
)
def test_doubts_come_before_reasons(answer: PageAnswer, doubts: tuple[Doubt, ...], codes: list[str]) -> None:
    decision = decide(answer, policy(), doubts)
    assert [reason.code for reason in decision.reasons] == codes
    assert decision.status == ("referred" if codes else "reported")


def test_no_policy_refers_with_the_doubts() -> None:
    assert [reason.code for reason in decide(SURE, None, (DOUBT,)).reasons] == ["faint_trace", "no_thresholds"]


@pytest.mark.parametrize("module", [model_registry.decision, shared_preproc.evidence])
def test_every_code_is_documented(module: ModuleType) -> None:
    documented = (REPOSITORY / "docs" / "api.md").read_text()
    codes = re.findall(r'(?:Doubt|Reason)\(\s*"(\w+)"', inspect.getsource(module))
    assert len(codes) >= 4
    for code in codes:
        assert f"| `{code}` |" in documented, code
