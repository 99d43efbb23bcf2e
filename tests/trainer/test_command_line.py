"""What the trainer's command line says of itself, and what it does not take."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from trainer.__main__ import main
from trainer.commands import evidence


@pytest.mark.parametrize(
    ("words", "vain"),
    [
        (("--protocol", "published", "--epochs", "1"), "--protocol, --epochs: without effect on --arch fusion"),
        (("--seed", "0"), "--seed: without effect on --arch fusion"),
        (("--arch", "crnn", "--quick"), "--quick: without effect on --arch crnn"),
        (("--arch", "cnn", "--repeats", "3"), "--repeats: without effect on --arch cnn"),
        (("--arch", "crnn", "--signals", "ptb-xl"), "--signals: without effect on --arch crnn"),
    ],
)
def test_what_would_have_no_effect_is_refused(
    words: tuple[str, ...], vain: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path), "--runs", str(tmp_path / "runs"), *words])
    assert ended.value.code == 2
    assert vain in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_fusion_without_signals_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path), "--runs", str(tmp_path / "runs")])
    assert ended.value.code == 2
    assert "name PTB-XL's folder with --signals" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_signals_that_are_none_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", str(tmp_path), "--runs", str(tmp_path / "runs")]) == 1
    assert "name PTB-XL's own folder" in capsys.readouterr().err


def test_the_help_tells_defaults_and_for_which_network_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    _, of_lead_images = told.split(" cnn and crnn only: ")
    of_fusion = told.split(" fusion only: ")[1].removesuffix(of_lead_images)
    assert "seed of every random choice (0)" in of_lead_images
    assert "times that the pages are dealt anew (3)" in of_fusion


def test_quick_evaluation_prints_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = SimpleNamespace(run=lambda *_: None)  # without a report: asking for one fails
    monkeypatch.setattr(evidence, "evaluation_of", lambda _: done)
    assert main(["evaluate", str(tmp_path), "--quick"]) == 0
    printed = capsys.readouterr().out
    assert "run it without --quick" in printed
    assert not any(character.isdigit() for character in printed)
