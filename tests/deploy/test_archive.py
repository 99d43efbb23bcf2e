"""Two pods of an Indexed Job, as containers of the image: each page has one row."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batch.run import open_run
from batch.summary import summarize
from service import __version__
from tests.deploy.stack import built_images, docker
from tests.factories import page_jpeg

pytestmark = pytest.mark.engine

PAGES = 40


@pytest.fixture(scope="module")
def image(engine: None) -> Iterator[str]:  # noqa: ARG001 - there has to be one
    """The image, built from this checkout."""
    with built_images("batch") as prefix:
        yield f"{prefix}/batch:{__version__}"


def run_shard(image: str, number: int, folder: Path, *arguments: str) -> str:
    hardened = ("--read-only", "--cap-drop=ALL", "--network=none", "--tmpfs=/tmp", "--memory=1g", "--cpus=1")
    shard = ("-e", f"JOB_COMPLETION_INDEX={number}", "-e", "JOB_COMPLETIONS=2")
    volumes = ("-v", f"{folder}/archive:/archive:ro", "-v", f"{folder}/rows:/rows")
    return docker("run", "--rm", *hardened, *shard, *volumes, image, *arguments, limit_s=300)


def test_two_shards_give_each_page_one_row(image: str, tmp_path: Path) -> None:
    for name in ("archive", "rows"):
        (tmp_path / name).mkdir()
    (tmp_path / "rows").chmod(0o777)
    for number in range(PAGES):
        (tmp_path / "archive" / f"{number:02d}.jpg").write_bytes(page_jpeg("normal", number % 3))
    first = run_shard(image, 0, tmp_path, "classify", "/archive", "/rows/run")
    assert "1 chunks of other shards are not done yet" in first
    second = run_shard(image, 1, tmp_path, "classify", "/archive", "/rows/run")
    assert f"{PAGES} pages, 0 of them could not be read" in second
    assert run_shard(image, 0, tmp_path, "verify", "/rows/run").startswith(f"{PAGES} pages, each with one row")
    assert summarize(open_run(str(tmp_path / "rows" / "run"))).pages == PAGES


def test_image_has_no_web_framework(image: str) -> None:
    program = "import importlib.util as u; print(*filter(u.find_spec, ('fastapi', 'starlette', 'uvicorn', 'pip')))"
    assert docker("run", "--rm", "--entrypoint", "python", image, "-c", program).strip() == ""
