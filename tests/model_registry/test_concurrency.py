"""Several processes at once, and processes that are killed: real ones, since threads would share their locks."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_registry.registry import Registry
from tests.bundles import publish_tiny, tiny_model

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60

PREAMBLE = """
import sys, time
from pathlib import Path
from model_registry.registry import Registry
from tests.bundles import publish_tiny

registry = Registry(Path(sys.argv[1]))
own, number = Path(sys.argv[2]), int(sys.argv[3])

def wait_for(path):
    while not path.exists():
        time.sleep(0.001)

def stop(*_):
    own.touch()
    time.sleep(600)
"""

STARTED = """
own.touch()
wait_for(own.with_name("go"))
"""

PUBLISH = PREAMBLE + STARTED + "print(*[publish_tiny(registry, origin={'number': number}) for _ in range(5)])"

PROMOTE = (
    PREAMBLE
    + STARTED
    + """
for turn in range(10):
    registry.promote(f"tiny/{1 + (number + turn) % 2}")
    registry.promote(f"tiny/{1 + turn % 2}", alias=f"own-{number}")
"""
)

PUBLISH_AND_HANG = PREAMBLE + "Path.rename = stop\npublish_tiny(registry)"

PROMOTE_AND_HANG = PREAMBLE + "Path.replace = stop\nregistry.promote('tiny/2')"


def wait_for(*paths: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not all(path.exists() for path in paths):
        assert time.monotonic() < deadline, "a child did not get where it was meant to"
        time.sleep(0.01)


@contextmanager
def children(script: str, path: Path, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Start that many processes, and wait until each has reached its own mark."""
    marks = [path.with_name(f"mark-{number}") for number in range(count)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(mark), str(number)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, mark in enumerate(marks)
    ]
    try:
        wait_for(*marks)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def outputs(processes: list[subprocess.Popen[str]]) -> list[str]:
    results = [process.communicate(timeout=PATIENCE_S) for process in processes]
    assert [(process.returncode, error) for process, (_, error) in zip(processes, results, strict=True)] == [
        (0, "") for _ in processes
    ]
    return [output for output, _ in results]


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_S)


def test_every_publisher_gets_versions_of_its_own(path: Path) -> None:
    registry = Registry(path)
    with children(PUBLISH, path, 6) as publishers:
        path.with_name("go").touch()
        refs = [output.split() for output in outputs(publishers)]
    assert sorted(ref for own in refs for ref in own) == sorted(f"tiny/{version}" for version in range(1, 31))
    for number, own in enumerate(refs):
        for ref in own:
            bundle = registry.load(ref)
            assert bundle.manifest.origin == {"number": number}
            assert bundle.model == tiny_model()
    assert registry.list().broken == ()
    assert [entry.name for entry in path.iterdir()] == ["tiny"]


def test_concurrent_promotions_lose_no_update(path: Path) -> None:
    registry = Registry(path)
    for _ in range(2):
        publish_tiny(registry)
    with children(PROMOTE, path, 4) as promoters:
        path.with_name("go").touch()
        while any(process.poll() is None for process in promoters):
            assert set(registry.aliases().values()) <= {"tiny/1", "tiny/2"}
        outputs(promoters)
    aliases = json.loads((path / "aliases.json").read_bytes())
    assert aliases.keys() == {"production", "own-0", "own-1", "own-2", "own-3"}
    for number in range(4):
        rolled_back = [registry.roll_back(f"own-{number}") for _ in range(9)]
        assert rolled_back == ["tiny/1", "tiny/2"] * 4 + ["tiny/1"]


def test_a_publisher_killed_half_way_leaves_nothing_that_is_read(path: Path) -> None:
    registry = Registry(path)
    publish_tiny(registry)
    with children(PUBLISH_AND_HANG, path, 1) as (publisher,):
        (left,) = path.glob(".scratch-*")
        assert (left / "manifest.json").exists()
        assert registry.list().broken == ()
        kill(publisher)
    assert left.exists()
    assert [bundle.ref for bundle in registry.list().bundles] == ["tiny/1"]
    assert registry.list().broken == ()
    assert registry.resolve("tiny") == "tiny/1"
    assert publish_tiny(registry) == "tiny/2"


def test_a_promoter_killed_half_way_leaves_the_alias_and_no_lock(path: Path) -> None:
    registry = Registry(path)
    for _ in range(2):
        publish_tiny(registry)
    registry.promote("tiny/1")
    with children(PROMOTE_AND_HANG, path, 1) as (promoter,):
        assert registry.aliases() == {"production": "tiny/1"}
        kill(promoter)
    registry.promote("tiny/2")
    assert registry.aliases() == {"production": "tiny/2"}
    assert registry.roll_back() == "tiny/1"
