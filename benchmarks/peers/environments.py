"""A virtual environment for each peer, made once: the peer, and what the hosted functions need in our own versions."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

__all__ = ["PEERS", "environment_of"]

PEERS = {"bentoml": "bentoml==1.4.39", "litserve": "litserve==0.2.19"}
"""Newest versions that could be installed on 2026-11-22."""
_OURS = (
    "numpy",
    "onnx",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "pydantic",
    "pydantic-settings",
    "python-multipart",
    "simplejpeg",
)


def environment_of(peer: str, cache: Path) -> Path:
    """Give the folder of a peer's programs (``bin``); makes the environment under ``cache`` if it is not there yet."""
    home = cache / PEERS[peer].replace("==", "-")
    done = home / ".installed"
    if not done.exists():
        packages = [PEERS[peer], *(f"{name}=={version(name)}" for name in _OURS)]
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, str(home)], check=True)  # noqa: S603 - ours
        subprocess.run([*uv, "pip", "install", "--python", str(home / "bin/python"), *packages], check=True)  # noqa: S603 - ours
        done.touch()
    return home / "bin"
