"""Exactly one ONNX Runtime."""

import pytest

from service.errors import StartupError
from service.host import check_runtime_packages, installed_runtime_packages


@pytest.mark.parametrize("installed", [["onnxruntime"], ["onnxruntime-gpu"]])
def test_one_is_right(installed: list[str]) -> None:
    check_runtime_packages(installed)


@pytest.mark.parametrize(
    ("installed", "message"),
    [
        ([], "No ONNX Runtime is installed"),
        (["onnxruntime", "onnxruntime-gpu"], "onnxruntime and onnxruntime-gpu are both installed"),
    ],
)
def test_none_and_both_are_refused_with_a_remedy(installed: list[str], message: str) -> None:
    with pytest.raises(StartupError, match=f"{message}.*extra"):
        check_runtime_packages(installed)


def test_what_is_installed_here_is_found() -> None:
    assert len(installed_runtime_packages()) == 1
