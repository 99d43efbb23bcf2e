"""Pointing aliases at bundles, back and forth, one process at a time."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from model_registry.errors import (
    BrokenAliasesError,
    BrokenBundleError,
    DanglingAliasError,
    NameTakenError,
    NothingToRollBackError,
)
from model_registry.registry import Registry
from tests.bundles import publish_tiny


def test_promoting_points_the_alias_and_nothing_else(registry: Registry) -> None:
    publish_tiny(registry)
    publish_tiny(registry)
    registry.promote("tiny/1")
    registry.promote("production", alias="staging")
    registry.promote("tiny")
    assert registry.aliases() == {"production": "tiny/2", "staging": "tiny/1"}


def test_a_name_is_never_both_a_bundle_and_an_alias(registry: Registry) -> None:
    publish_tiny(registry)
    with pytest.raises(NameTakenError, match="tiny is a bundle"):
        registry.promote("tiny/1", alias="tiny")
    registry.promote("tiny/1", alias="champion")
    with pytest.raises(NameTakenError, match="champion is an alias"):
        publish_tiny(registry, "champion")


def test_rolling_back_walks_the_history(registry: Registry) -> None:
    for _ in range(3):
        registry.promote(publish_tiny(registry))
    registry.promote("tiny/1")
    registry.promote("tiny/1")
    assert [registry.roll_back() for _ in range(3)] == ["tiny/3", "tiny/2", "tiny/1"]
    with pytest.raises(NothingToRollBackError, match="no earlier bundle"):
        registry.roll_back()
    assert registry.aliases() == {"production": "tiny/1"}


def test_promoting_after_a_roll_back_goes_on_from_there(registry: Registry) -> None:
    for _ in range(3):
        publish_tiny(registry)
    for version in (1, 2):
        registry.promote(f"tiny/{version}")
    registry.roll_back()
    registry.promote("tiny/3")
    assert registry.roll_back() == "tiny/1"


def test_aliases_have_histories_of_their_own(registry: Registry) -> None:
    publish_tiny(registry)
    publish_tiny(registry)
    for version in (1, 2):
        registry.promote(f"tiny/{version}")
        registry.promote(f"tiny/{3 - version}", alias="staging")
    assert registry.roll_back("staging") == "tiny/2"
    assert registry.aliases() == {"production": "tiny/2", "staging": "tiny/2"}


def test_rolling_back_to_a_broken_bundle_is_refused(registry: Registry, path: Path) -> None:
    for _ in range(2):
        registry.promote(publish_tiny(registry))
    (path / "tiny" / "1" / "card.md").write_text("edited")
    with pytest.raises(BrokenBundleError, match="tiny/1"):
        registry.roll_back()
    assert registry.load("production").manifest.ref == "tiny/2"


def test_alias_without_bundle_is_refused_and_hides_no_other(registry: Registry, path: Path) -> None:
    for name in ("kept", "lost"):
        registry.promote(publish_tiny(registry, name), alias=f"{name}-one")
    shutil.rmtree(path / "lost" / "1")
    with pytest.raises(DanglingAliasError, match="lost-one points at lost/1, which is gone"):
        registry.load("lost-one")
    assert registry.load("kept-one").manifest.ref == "kept/1"
    assert registry.aliases() == {"kept-one": "kept/1", "lost-one": "lost/1"}


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\xff", b"[]", b"null", b'{"production": "tiny/1"'),
        *(b'{"production": 1}', b'{"production": null}', b'{"production": "tiny"}'),
        *(b'{"production": "../x"}', b'{"production": "tiny/../x"}', b'{"../x": "tiny/1"}'),
    ],
)
def test_damaged_aliases_are_refused_and_hide_no_bundle(registry: Registry, path: Path, content: bytes) -> None:
    publish_tiny(registry)
    (path / "aliases.json").write_bytes(content)
    calls: list[Callable[[], object]] = [
        registry.aliases,
        lambda: registry.resolve("production"),
        lambda: registry.promote("tiny/1"),
        registry.roll_back,
    ]
    for call in calls:
        with pytest.raises(BrokenAliasesError, match=r"aliases\.json is damaged"):
            call()
    assert (path / "aliases.json").read_bytes() == content
    assert registry.load("tiny/1").manifest.ref == "tiny/1"
    assert len(registry.list().bundles) == 1


@pytest.mark.parametrize("act", ["promote", "roll_back"])
@pytest.mark.parametrize("written", [0, 1])
def test_an_interrupted_change_of_an_alias_loses_no_history(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, act: str, written: int
) -> None:
    for _ in range(3):
        registry.promote(publish_tiny(registry))
    publish_tiny(registry)
    renames = 0
    rename = Path.replace

    def stop(self: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames > written:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        registry.promote("tiny/4") if act == "promote" else registry.roll_back()
    monkeypatch.undo()
    rolled_back = act == "roll_back" and written == 1
    assert registry.aliases() == {"production": "tiny/2" if rolled_back else "tiny/3"}
    assert registry.roll_back() == ("tiny/1" if rolled_back else "tiny/2")
