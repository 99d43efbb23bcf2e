"""An archive and its rows in S3, for which moto stands in."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import obstore
import pytest
from moto.server import ThreadedMotoServer

from batch.run import open_run
from batch.storage import open_bucket
from batch.summary import read_chunks
from tests.batch.archive import Program, children, kill, rows_of, started, wait_until

pytestmark = pytest.mark.batch

PAGES, CHUNK = 120, 20
ARCHIVE, OUTPUT = "s3://hospital/archive", "s3://hospital/output"


@pytest.fixture(scope="module")
def s3(drawn: list[Path]) -> Iterator[dict[str, str]]:
    """The environment in which S3 is this machine, with an archive in a bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    access = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    variables = {"AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true", **access}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        httpx.put(f"{url}/hospital")
        store, prefix = open_bucket(ARCHIVE)
        for number in range(PAGES):
            obstore.put(store, f"{prefix}/{number:03d} #1.jpg", drawn[number % len(drawn)])
        yield variables
    server.stop()


def check_rows(output: str, ecg_batch: Program, s3: dict[str, str]) -> None:
    sources = [source for _, table in read_chunks(open_run(output)) if table for source in table["source"].to_pylist()]
    assert len(sources) == len(set(sources)) == PAGES
    verified = ecg_batch("verify", output, "--read-pages", **s3)
    assert verified.returncode == 0, verified.stdout


def test_bucket_to_bucket(s3: dict[str, str], ecg_batch: Program) -> None:
    done = ecg_batch("classify", ARCHIVE, f"{OUTPUT}-1", **s3)
    assert done.returncode == 0, done.stderr
    check_rows(f"{OUTPUT}-1", ecg_batch, s3)
    store, prefix = open_bucket(f"{OUTPUT}-1")
    assert json.loads(bytes(obstore.get(store, f"{prefix}/summary.json").bytes()))["pages"] == PAGES


def test_two_runners_and_a_kill(s3: dict[str, str], models: Path, ecg_batch: Program) -> None:
    output = f"{OUTPUT}-2"
    runners = [started(models, "classify", ARCHIVE, output, **s3) for _ in range(2)]
    wait_until(lambda: len(children(runners[0].pid)) > 0)
    store, prefix = open_bucket(output)
    wait_until(lambda: bool(obstore.list(store, f"{prefix}/claims").collect()))
    kill([runners[0].pid])
    for runner in runners:
        runner.communicate()
    assert runners[1].returncode == 0
    check_rows(output, ecg_batch, s3)


def test_list_in_a_bucket_names_a_missing_page(s3: dict[str, str], ecg_batch: Program, tmp_path: Path) -> None:
    store, _ = open_bucket("s3://hospital")
    obstore.put(store, "lists/few.csv", b"source\ns3://hospital/archive/000 #1.jpg\ngone.jpg\n")
    done = ecg_batch("classify", "s3://hospital/lists/few.csv", tmp_path / "output", "--workers", 1, **s3)
    assert done.returncode == 6
    rows = rows_of(tmp_path / "output")
    assert [row["refusal"] for row in rows] == [None, "source_missing"]
    assert rows[1]["source"] == "s3://hospital/lists/gone.jpg"


@pytest.mark.parametrize(("given", "output"), [("s3://nobody/archive", "folder"), (ARCHIVE, "s3://nobody/output")])
def test_unusable_bucket(s3: dict[str, str], ecg_batch: Program, tmp_path: Path, given: str, output: str) -> None:
    done = ecg_batch("classify", given, output if "://" in output else tmp_path / output, "--workers", 1, **s3)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "nobody" in done.stderr
