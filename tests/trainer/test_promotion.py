"""A bundle takes the place of the promoted one only if it is not worse on the same evidence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from model_registry.registry import Registry
from tests.bundles import publish_readers
from trainer.__main__ import main
from trainer.commands.run import promote_unless_worse
from trainer.promotion import figure_words, why_not_promote

ALIAS = "production"
GOOD = {"accuracy": 0.92, "f1_macro": 0.91, "normal": 0.93, "infarction": 0.88, "reported": 0.95}


def publish(
    registry: Registry,
    *,
    evidence: str = "same",
    with_thresholds: bool = True,
    figures: Mapping[str, float | None] | None = None,
) -> str:
    """Publish a bundle of `GOOD` figures, or of others."""
    known: dict[str, float | None] = {**GOOD, **(figures or {})}
    metrics: dict[str, Any] = {
        "accuracy": known["accuracy"],
        "f1_macro": known["f1_macro"],
        "external": {
            "normal_against_rest": {"auroc": known["normal"]},
            "infarction_against_rest": {"auroc": known["infarction"]},
            "reported": {"accuracy": {"share": known["reported"]}},
        },
    }
    more: dict[str, Any] = {} if with_thresholds else {"decision": None}
    return publish_readers(registry, metrics=metrics, origin={"evidence": evidence}, **more)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry that has promoted the first of its bundles."""
    registry = Registry(tmp_path)
    registry.promote(publish(registry), ALIAS)
    return registry


def folder(registry: Registry) -> Path:
    return registry._path


def promote(registry: Registry, reference: str, *, force: bool = False) -> str:
    """Promote as the end of `run` does; gives what the alias then points at."""
    promote_unless_worse(registry, reference, ALIAS, force=force)
    return registry.aliases().get(ALIAS, "nothing")


@pytest.mark.parametrize("name", GOOD)
def test_worse_figure_is_not_promoted(registry: Registry, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert promote(registry, publish(registry, figures={name: GOOD[name] - 0.02})) == "readers/1"
    told = capsys.readouterr().out
    assert "not promoted: readers/2 is worse than readers/1" in told
    assert f"{GOOD[name] - 0.02:.3f} instead of {GOOD[name]:.3f}" in told
    assert "--force promotes it all the same" in told


@pytest.mark.parametrize("name", GOOD)
def test_better_figure_is_promoted(registry: Registry, name: str) -> None:
    assert promote(registry, publish(registry, figures={name: GOOD[name] + 0.02})) == "readers/2"


def test_difference_by_chance_is_promoted(registry: Registry) -> None:
    assert promote(registry, publish(registry, figures={"accuracy": GOOD["accuracy"] - 0.005})) == "readers/2"


def test_figure_that_is_gone_is_worse(registry: Registry) -> None:
    reason = why_not_promote(registry, publish(registry, figures={"infarction": None}), ALIAS)
    assert reason == "readers/2 is worse than readers/1: infarction - instead of 0.880"


def test_other_evidence_is_not_compared(registry: Registry) -> None:
    reason = why_not_promote(registry, publish(registry, evidence="other", figures={"accuracy": 0.99}), ALIAS)
    assert reason == "readers/2 was judged on other data than readers/1, so that they cannot be compared"


def test_bundle_without_thresholds_is_not_promoted(registry: Registry) -> None:
    reason = why_not_promote(registry, publish(registry, with_thresholds=False, figures={"accuracy": 0.99}), ALIAS)
    assert reason == "readers/2 has no thresholds, so that every page would be referred"


def test_first_bundle_is_promoted(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    assert promote(registry, publish(registry)) == "readers/1"


def test_first_bundle_without_thresholds_is_not(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    assert promote(registry, publish(registry, with_thresholds=False)) == "nothing"


def test_thresholds_beat_a_bundle_without(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.promote(publish(registry, with_thresholds=False), ALIAS)
    assert promote(registry, publish(registry, figures={"accuracy": 0.5})) == "readers/2"


def test_broken_bundle_is_replaced(registry: Registry) -> None:
    (folder(registry) / "readers/1/model.onnx").write_bytes(b"")
    assert promote(registry, publish(registry, figures={"accuracy": 0.5})) == "readers/2"


@pytest.mark.parametrize("change", [{"figures": {"accuracy": 0.5}}, {"evidence": "other"}, {"with_thresholds": False}])
def test_force_promotes_it_all_the_same(registry: Registry, change: dict[str, Any]) -> None:
    assert promote(registry, publish(registry, **change), force=True) == "readers/2"


def test_list_shows_figures_and_aliases(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    publish(registry, figures={"reported": None})
    assert main(["list", "--registry", str(folder(registry))]) == 0
    first, second = capsys.readouterr().out.splitlines()
    words = "accuracy 0.920, macro F1 0.910, other patients: normal 0.930, infarction 0.880, reported right"
    assert f"{ALIAS}  {words} 0.950" in first
    assert second.endswith(f"{words} -")
    assert ALIAS not in second


def test_figures_that_were_not_measured_are_dashes(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    manifest = registry.load(publish_readers(registry, metrics={})).manifest
    assert figure_words(manifest).count(" -") == 5
