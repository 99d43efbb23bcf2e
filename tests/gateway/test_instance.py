"""Objects as carts and networks damage them."""

import numpy as np
import pytest

from gateway.answer import Refusal
from gateway.errors import NoEcgError, UnusableInstanceError
from gateway.instance import read_instance
from gateway.report import structured_report
from tests.gateway.servers import CANARY_ID, CANARY_NAME, HEAD_BYTES, damaged, in_a_study

REFUSAL = Refusal("No ECG", "Found: a holiday. Expected: an ECG.", "Send an ECG.")


@pytest.mark.filterwarnings("ignore::UserWarning")  # highdicom quotes odd names; the gateway hears no warnings
@pytest.mark.parametrize("count", [300, pytest.param(5000, marks=pytest.mark.campaign)])
def test_mutated_objects_are_read_or_refused(count: int, capture: bytes) -> None:
    whole, chance, read = in_a_study(capture), np.random.default_rng(count), 0
    for _ in range(count):
        data = whole[: int(chance.integers(100, len(whole)))] if chance.random() < 0.2 else whole
        try:
            instance = read_instance(damaged(data, HEAD_BYTES, chance))
        except UnusableInstanceError:
            continue
        read += 1
        if read % 10 == 0:
            structured_report(instance, REFUSAL)
    assert count // 10 < read < count


@pytest.mark.parametrize("name", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
def test_object_without_a_uid_is_refused(name: str, capture: bytes) -> None:
    with pytest.raises(UnusableInstanceError, match=name) as refusal:
        read_instance(in_a_study(capture, **{name: ""}))
    assert CANARY_ID not in str(refusal.value)
    assert CANARY_NAME not in str(refusal.value)


def test_object_of_another_class_is_no_ecg(capture: bytes) -> None:
    with pytest.raises(NoEcgError):
        read_instance(in_a_study(capture, SOPClassUID="1.2.840.10008.5.1.4.1.1.2"))


def test_order_is_the_placers_or_the_accession(capture: bytes) -> None:
    assert read_instance(in_a_study(capture)).order_number == "A1"
    order = {"PlacerOrderNumberImagingServiceRequest": "E-77"}
    assert read_instance(in_a_study(capture, **order)).order_number == "E-77"
