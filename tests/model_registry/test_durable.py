"""What has been published survives a power cut: everything is on the disk before it can be seen."""

import os
from pathlib import Path

import pytest

from model_registry.registry import Registry
from tests.bundles import publish_tiny


def test_files_and_folders_are_synchronised_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(tmp_path)
    synchronised: set[int] = set()
    fsync, rename, replace = os.fsync, Path.rename, Path.replace

    def note(descriptor: int) -> None:
        synchronised.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def checked_rename(source: Path, target: Path) -> Path:
        assert {path.stat().st_ino for path in (source, *source.iterdir())} <= synchronised
        return rename(source, target)

    def checked_replace(source: Path, target: Path) -> Path:
        assert source.stat().st_ino in synchronised
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(Path, "rename", checked_rename)
    monkeypatch.setattr(Path, "replace", checked_replace)
    publish_tiny(registry)
    assert {tmp_path.stat().st_ino, (tmp_path / "tiny").stat().st_ino} <= synchronised
    synchronised.clear()
    registry.promote("tiny/1")
    assert tmp_path.stat().st_ino in synchronised
