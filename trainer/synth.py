"""Write labelled synthetic pages in the folders of the published data set."""

import csv
import hashlib
from pathlib import Path

from synthetic.pages import synth_jpeg
from trainer.classes import CLASS_FOLDERS

__all__ = ["synthesize"]


def synthesize(out: Path, count: int, seed: int) -> None:
    """Write ``count`` labelled pages under ``out``: class folders in turn, and ``records.csv`` beside them.

    A page depends on ``seed`` and its own number only. The table has the columns class, file, sha256, record_id and
    copy_of; every page is a recording of its own, so ``copy_of`` is empty.
    """
    rows: list[tuple[str, str, str, str, str]] = []
    folders = tuple(CLASS_FOLDERS)
    for number in range(count):
        folder, page_seed = folders[number % len(folders)], _page_seed(seed, number)
        name = f"SYN-{folder}-{number // len(folders) + 1:04d}.jpg"
        jpeg = synth_jpeg(CLASS_FOLDERS[folder], page_seed)
        (out / folder).mkdir(parents=True, exist_ok=True)
        (out / folder / name).write_bytes(jpeg)
        rows.append((folder, name, hashlib.sha256(jpeg).hexdigest(), f"SYN-{page_seed:06d}", ""))
    out.mkdir(parents=True, exist_ok=True)
    with (out / "records.csv").open("w", newline="") as table:
        csv.writer(table).writerows([("class", "file", "sha256", "record_id", "copy_of"), *rows])


def _page_seed(seed: int, number: int) -> int:
    """Distinct for every seed and number, up to a hundred thousand pages a seed."""
    return seed * 100_000 + number
