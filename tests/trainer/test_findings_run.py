"""The findings network's folds: dealt by patient, taken up where they stand, each answered by another network."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trainer.signal_files import write_packed_ptbxl
from trainer.config import FindingsConfig
from trainer.errors import RunError
from trainer.findings import CODES
from trainer.findings_run import FindingsDesign, FindingsRun
from trainer.findings_training import PRINTS, finding_targets, printed
from trainer.members import Weights
from trainer.signals import SignalSet

pytestmark = pytest.mark.slow

DESIGN = FindingsDesign(folds=2, seeds=1)
CONFIG = FindingsConfig(epochs=1.0)


@pytest.fixture(scope="module")
def signals(tmp_path_factory: pytest.TempPathFactory) -> SignalSet:
    return write_packed_ptbxl(tmp_path_factory.mktemp("ptbxl"), 60)


@pytest.fixture(scope="module")
def traces(signals: SignalSet) -> NDArray[np.float32]:
    return printed(signals, PRINTS[0])


@pytest.fixture
def run(signals: SignalSet, tmp_path: Path) -> FindingsRun:
    return FindingsRun(signals, tmp_path / "findings", DESIGN, CONFIG)


def constant(run: FindingsRun, answer: float) -> Weights:
    """Weights of a network that always gives ``answer`` as every logit."""
    weights = []
    for variable in run._network.model.weights:
        output = variable.name == "bias" and variable.path.split("/")[-2].endswith("_logits")
        weights.append(np.full(variable.shape, answer if output else 0.0, np.float32))
    return weights


def write(run: FindingsRun, **answers: float) -> None:
    """Put constant networks where trained ones would stand."""
    for name, answer in answers.items():
        np.savez(run.folder / f"{name}.npz", *constant(run, answer))


def test_no_patient_is_in_two_folds(run: FindingsRun) -> None:
    pairs = set(zip(run.signals.patients, run.folds.tolist(), strict=True))
    assert len(pairs) == len(set(run.signals.patients)) == 30
    assert set(Counter(run.folds.tolist())) == {0, 1}


def test_every_fold_has_its_share_of_findings(run: FindingsRun) -> None:
    for code in ("NORM", "MI", "AFIB"):
        shown = finding_targets(run.signals, [code])[:, 0]
        shares = [shown[run.folds == fold].mean() for fold in range(2)]
        assert shares[0] == pytest.approx(shares[1], abs=0.15)


def test_only_missing_networks_are_trained(run: FindingsRun) -> None:
    write(run, fold_0_seed_0=0.0, member_0=2.0)
    before = {path.name: path.read_bytes() for path in run.folder.glob("*.npz")}
    run.run()
    after = {path.name: path.read_bytes() for path in run.folder.glob("*.npz")}
    assert set(after) - set(before) == {"fold_1_seed_0.npz"}
    assert all(after[name] == content for name, content in before.items())
    trained = run.answer(printed(run.signals, PRINTS[0])[:2])
    np.testing.assert_array_equal(trained.classes, 2.0)  # the member stays the one that stood there
    assert any(np.abs(array).max() > 0 for array in np.load(run.folder / "fold_1_seed_0.npz").values())


def test_finished_run_trains_nothing(run: FindingsRun) -> None:
    write(run, fold_0_seed_0=0.0, fold_1_seed_0=1.0, member_0=2.0)
    before = {path: path.stat().st_mtime_ns for path in run.folder.iterdir()}
    run.run()
    assert {path: path.stat().st_mtime_ns for path in run.folder.iterdir()} == before


def test_each_fold_is_answered_by_its_own_network(run: FindingsRun, traces: NDArray[np.float32]) -> None:
    write(run, fold_0_seed_0=10.0, fold_1_seed_0=11.0, member_0=99.0)
    answers = run.out_of_fold(traces)
    assert answers.findings.shape == (60, len(CODES))
    assert answers.classes.shape == (60, 4)
    for array in answers:
        np.testing.assert_array_equal(array, np.broadcast_to(10.0 + run.folds[:, np.newaxis], array.shape))


def test_seeds_are_averaged(signals: SignalSet, tmp_path: Path, traces: NDArray[np.float32]) -> None:
    run = FindingsRun(signals, tmp_path, FindingsDesign(folds=2, seeds=2), CONFIG)
    write(run, member_0=1.0, member_1=4.0)
    np.testing.assert_array_equal(run.answer(traces[:3]).classes, 2.5)
    assert len(run.members()) == 2


def test_missing_network_is_named(run: FindingsRun, traces: NDArray[np.float32]) -> None:
    write(run, fold_0_seed_0=0.0)
    with pytest.raises(RunError, match=r"fold_1_seed_0\.npz is missing; run the step findings first"):
        run.out_of_fold(traces)
    with pytest.raises(RunError, match=r"member_0\.npz is missing"):
        run.members()


def test_same_recordings_are_taken_up(run: FindingsRun) -> None:
    again = FindingsRun(run.signals, run.folder, DESIGN, CONFIG)
    np.testing.assert_array_equal(again.folds, run.folds)


@pytest.mark.parametrize("changed", ["signal_mv", "patients", "classes", "statements"])
def test_other_recordings_are_refused(run: FindingsRun, changed: str) -> None:
    signals = run.signals
    others = {
        "signal_mv": signals.signal_mv * 1.01,
        "patients": tuple(f"other {name}" for name in signals.patients),
        "classes": np.roll(signals.classes, 1, axis=1),
        "statements": tuple(codes | {"LVH"} for codes in signals.statements),
    }
    with pytest.raises(RunError, match="other recordings or settings"):
        FindingsRun(replace(signals, **{changed: others[changed]}), run.folder, DESIGN, CONFIG)  # type: ignore[arg-type]


def test_other_settings_are_refused(run: FindingsRun) -> None:
    for design, config in ((FindingsDesign(folds=3, seeds=1), CONFIG), (DESIGN, FindingsConfig(epochs=2.0))):
        with pytest.raises(RunError, match="other recordings or settings"):
            FindingsRun(run.signals, run.folder, design, config)


def test_wide_print_shows_all_leads_at_once(signals: SignalSet) -> None:
    """Leads of one moment keep Einthoven's and Goldberger's equations, whichever column they stand in."""
    wide = printed(signals, PRINTS[1])[0, :1500, 0].reshape(12, 125)
    order = ("I", "aVR", "V1", "V4", "II", "aVL", "V2", "V5", "III", "aVF", "V3", "V6")
    leads = {name: place for place, name in enumerate(order)}
    np.testing.assert_allclose(wide[leads["II"]], wide[leads["I"]] + wide[leads["III"]], atol=0.01)
    np.testing.assert_allclose(wide[leads["aVF"]], (wide[leads["II"]] + wide[leads["III"]]) / 2, atol=0.01)
