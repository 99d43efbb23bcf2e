"""The step `validate`: from data on disk to a report, as a hospital runs it."""

import csv
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_registry.policy import SitePolicy
from synthetic.heartbeat import record_heart
from tests.trainer.four_outputs import FINDINGS, policy, publish
from tests.trainer.signal_files import write_ptbxl, write_record
from trainer.__main__ import main
from trainer.site_signals import read_mapping

DOCUMENT = Path(__file__).parents[2] / "docs" / "validation.md"
FILES = {"report.md", "report.json", "answers.csv", "reliability.png", "rates.png", "auroc.png"}
MAPPING = """
[columns]
record = "file"
label = "label"
[labels]
normal = { classes = ["normal"], findings = ["NORM"] }
old = { classes = ["history_of_mi"], findings = ["MI"] }
acute = { classes = ["myocardial_infarction"], findings = ["MI"] }
irregular = { classes = ["abnormal_heartbeat"], findings = ["AFIB"] }
"""
HEARTS = {
    "normal": "normal",
    "old": "history_of_mi",
    "acute": "myocardial_infarction",
    "irregular": "abnormal_heartbeat",
}

Validate = Callable[..., dict[str, Any]]


@pytest.fixture
def validate(tmp_path: Path) -> Validate:
    """Run the step on a published stub; gives report.json."""

    def run(data: Path, *more: str) -> dict[str, Any]:
        out = tmp_path / "out"
        assert (
            main(["validate", "stub", str(data), "--registry", str(tmp_path / "models"), "--out", str(out), *more]) == 0
        )
        report: dict[str, Any] = json.loads((out / "report.json").read_text())
        return report

    return run


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Forty made-up recordings as one .npz, with labels.csv and mapping.toml beside it."""
    rng = np.random.default_rng(0)
    kinds = list(HEARTS) * 10
    signal_mv = np.stack([record_heart(HEARTS[kind], rng)[0] for kind in kinds])
    np.savez(tmp_path / "site.npz", signal_mv=signal_mv, ids=np.arange(40), rate_hz=500)
    rows = [f"{number},{kind}" for number, kind in enumerate(kinds)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    (tmp_path / "mapping.toml").write_text(MAPPING)
    return tmp_path / "site.npz"


def _labelled(recordings: Path) -> tuple[str, ...]:
    folder = recordings.parent
    return ("--labels", str(folder / "labels.csv"), "--mapping", str(folder / "mapping.toml"))


def test_pages_give_a_report(few_pages: Path, tmp_path: Path, validate: Validate) -> None:
    publish(tmp_path / "models", decision=policy())
    report = validate(few_pages, "--groups", str(few_pages / "records.csv"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert report["figures"]["recordings"]["all"] == 24
    assert report["data"]["kind"] == "pages"
    assert set(report["figures"]["findings"]) == {"NORM", "MI"}
    text = (tmp_path / "out" / "report.md").read_text()
    assert text.index("## Failures") < text.index("## Reported answers")
    with (tmp_path / "out" / "answers.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 24
    assert {row["decision"] for row in rows} <= {"reported", "referred"}


def test_refused_pages_are_counted_with_their_code(few_pages: Path, tmp_path: Path, validate: Validate) -> None:
    publish(tmp_path / "models", decision=policy())
    folder = tmp_path / "pages" / "normal"
    folder.mkdir(parents=True)
    for number, page in enumerate(sorted((few_pages / "Normal").iterdir())[:2]):
        (folder / f"{number}.jpg").write_bytes(page.read_bytes())
    (folder / "broken.jpg").write_bytes(b"no picture")
    report = validate(tmp_path / "pages")
    assert report["data"]["refused"] == {"unsupported_format": 1}
    assert report["figures"]["recordings"]["all"] == 2


def test_recordings_give_a_report_with_findings(recordings: Path, tmp_path: Path, validate: Validate) -> None:
    publish(tmp_path / "models", decision=policy())
    report = validate(recordings, *_labelled(recordings))
    assert report["data"]["band_hz"] == [0.67, 25.0]
    assert set(report["figures"]["findings"]) == set(FINDINGS)
    assert set(report["figures"]["auroc"]["normal_against_rest"]) == {"answer", "class_network", "findings_network"}
    assert sum(band["recordings"] for band in report["figures"]["rate_bands"]) == 40


def test_bundle_with_two_outputs_refers_everything(recordings: Path, tmp_path: Path, validate: Validate) -> None:
    publish(tmp_path / "models", plain=True)
    report = validate(recordings, *_labelled(recordings), "--band", "none", "--limit", "8")
    assert report["figures"]["referred"] == {"no_thresholds": 8}
    assert report["figures"]["findings"] == {}
    assert report["data"]["band_hz"] is None


def test_ptbxl_folder_is_recognised(tmp_path: Path, validate: Validate) -> None:
    publish(tmp_path / "models", decision=policy())
    write_ptbxl(tmp_path / "ptbxl")
    assert validate(tmp_path / "ptbxl")["data"]["name"] == "PTB-XL"


def test_recording_without_strip_has_no_rate(tmp_path: Path, validate: Validate) -> None:
    publish(tmp_path / "models", decision=policy())
    write_record(tmp_path / "records", "a", record_heart("normal", np.random.default_rng(0))[0][:1], 500)
    (tmp_path / "labels.csv").write_text("file,label\na,normal\n")
    (tmp_path / "mapping.toml").write_text(MAPPING)
    bands = validate(tmp_path / "records", *_labelled(tmp_path / "records"))["figures"]["rate_bands"]
    assert [band["from_bpm"] for band in bands] == [None]


def test_site_policy_needs_a_hundred_pages(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path / "models", decision=policy())
    where = ("--registry", str(tmp_path / "models"), "--out", str(tmp_path / "out"))
    more = ("--site", "St. Elsewhere", "--policy", str(tmp_path / "site.json"))
    assert main(["validate", "stub", str(recordings), *_labelled(recordings), *where, *more]) == 1
    refusal = capsys.readouterr().err
    assert "40 judged recordings (10 normal, 20 infarction, 10 other abnormality)" in refusal
    assert not (tmp_path / "site.json").exists()
    assert (tmp_path / "out" / "report.md").exists()


def test_site_policy_is_written(tmp_path: Path, recordings: Path, validate: Validate) -> None:
    publish(tmp_path / "models", decision=policy())
    with np.load(recordings) as stored:
        signal_mv = np.tile(stored["signal_mv"], (3, 1, 1))
    np.savez(recordings, signal_mv=signal_mv, ids=np.arange(120), rate_hz=500)
    rows = [f"{number},{kind}" for number, kind in enumerate(list(HEARTS) * 30)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    path = tmp_path / "site.json"
    more = ("--site", "St. Elsewhere", "--policy", str(path), "--accuracy", "0.2")
    report = validate(recordings, *_labelled(recordings), *more)
    written = SitePolicy.model_validate_json(path.read_bytes())
    assert written.site == "St. Elsewhere"
    assert written.model_sha256 == report["bundle"]["sha256"]
    assert written.decision.target_accuracy == 0.2
    assert report["site_policy"]["decision"]["report_from"] == written.decision.report_from
    text = (tmp_path / "out" / "report.md").read_text()
    assert "## Site policy" in text
    assert "The class network gives the answer less than" in text


def test_documented_commands_are_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = re.findall(r"^python -m trainer (validate .*)$", DOCUMENT.read_text(), re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        assert main([*shlex.split(command), "--registry", str(tmp_path)]) == 1
        assert "There is no bundle or alias production" in capsys.readouterr().err


def test_documented_mapping_is_valid(tmp_path: Path) -> None:
    found = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found
    (tmp_path / "mapping.toml").write_text(found[1])
    assert len(read_mapping(tmp_path / "mapping.toml").labels) == 4


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--policy", "site.json"), "needs both --site NAME and --policy FILE"),
        (("--band", "25", "0.67"), "expected two frequencies in Hz, the lower first, or none"),
        (("--accuracy", "2"), "2 is not a number between 0 and 1"),
    ],
)
def test_wrong_arguments_exit_with_2(
    more: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["validate", "stub", str(tmp_path), *more])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "holds no class folder"),
        (("--labels", "labels.csv"), "recordings need both --labels and --mapping"),
    ],
)
def test_unusable_data_exits_with_1(
    more: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path / "models")
    assert main(["validate", "stub", str(tmp_path), "--registry", str(tmp_path / "models"), *more]) == 1
    assert message in capsys.readouterr().err
