"""Pages to lead images on disk, split by split, through the shared preprocessing.

`OUT/<split>/<class>/<page>/lead_01.png` … `lead_13.png`, mode L, page order, as the published method stores them;
`OUT/prepared.json` says how. The folder appears when all of it is there.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from shared_preproc.errors import PreprocError
from shared_preproc.leads import Lead
from shared_preproc.masks import Mask
from shared_preproc.page import decode_page
from shared_preproc.pipeline import page_masks
from shared_preproc.reference import reference_masks
from shared_preproc.spec import MASKS_150
from shared_preproc.tensor import mask_tensor
from trainer.classes import CLASS_NAMES
from trainer.config import Protocol
from trainer.dataset import LabelledPage
from trainer.errors import DatasetError
from trainer.splits import Split, split_pages

__all__ = ["LeadImages", "load_lead_images", "prepare", "read_prepared"]

_SUMMARY = "prepared.json"


def prepare(
    pages: Sequence[LabelledPage], out: Path, protocol: Protocol, seed: int, *, reference: bool = False
) -> None:
    """Split ``pages`` and write their lead images under ``out``, on all cores.

    ``reference`` takes the scikit-image road instead of the fast one that serving takes. A folder that holds the same
    preparation already is left as it is.

    Raises:
        DatasetError: ``out`` holds something else, a page cannot be preprocessed, or the pages cannot be split.
    """
    parts = split_pages(pages, protocol, seed)
    summary = _summary(parts, protocol, seed, "reference" if reference else "fast")
    if (out / _SUMMARY).exists() and read_prepared(out) == summary:
        return
    if out.exists() and any(out.iterdir()):
        raise DatasetError(f"{out} holds something else, or another preparation; remove it or choose another folder")
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    jobs = [(page, _page_folder(part, split, page.class_name, page.name)) for split in parts for page in parts[split]]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding, filtering and zlib release the GIL
        done = pool.map(lambda job: _prepare_page(*job, reference=reference), jobs)
        for _ in tqdm(done, total=len(jobs), desc=f"prepare {protocol}", unit="page", disable=None):
            pass
    (part / _SUMMARY).write_text(json.dumps(summary, indent=1) + "\n")
    part.replace(out)


def read_prepared(out: Path) -> dict[str, Any]:
    """How ``out`` was prepared: protocol, seed, preprocessing, and each page's split, class, name, hash and group.

    Raises:
        DatasetError: ``out`` is not a finished preparation.
    """
    try:
        return cast(dict[str, Any], json.loads((out / _SUMMARY).read_text()))
    except (OSError, ValueError):
        raise DatasetError(f"{out} holds no finished preparation; run the step prepare") from None


def _summary(parts: Mapping[Split, Sequence[LabelledPage]], protocol: Protocol, seed: int, road: str) -> dict[str, Any]:
    pages = [
        {"split": split, "class": page.class_name, "name": page.name, "sha256": page.sha256, "group": page.group}
        for split, members in parts.items()
        for page in members
    ]
    return {
        "protocol": protocol,
        "seed": seed,
        "road": road,
        "preprocessing_fingerprint": MASKS_150.fingerprint,
        "split_sha256": hashlib.sha256(json.dumps(pages, sort_keys=True).encode()).hexdigest(),
        "pages": pages,
    }


def _page_folder(out: Path, split: str, class_name: str, name: str) -> Path:
    return out / split / class_name / name


def _prepare_page(page: LabelledPage, folder: Path, *, reference: bool) -> None:
    data = page.path.read_bytes()
    try:
        decoded = decode_page(data, MASKS_150.layout)
    except PreprocError as error:
        raise DatasetError(f"{page.path}: {error}") from error
    masks = reference_masks(data, MASKS_150.layout) if reference else page_masks(decoded, MASKS_150)
    folder.mkdir(parents=True)
    for number, mask in enumerate(masks.values(), start=1):
        Image.fromarray(mask).save(_lead_path(folder, number), compress_level=1)


def _lead_path(folder: Path, number: int) -> Path:
    return folder / f"lead_{number:02d}.png"


@dataclass(frozen=True, eq=False)
class LeadImages:
    """One split in memory.

    ``tensors`` uint8 (pages, leads, height_px, width_px), 0 or 255, page order; ``labels`` int64 (pages,), places in
    `CLASS_NAMES`; ``pages`` the rows of ``prepared.json``.
    """

    tensors: NDArray[np.uint8]
    labels: NDArray[np.int64]
    pages: list[dict[str, str]]


def load_lead_images(out: Path, split: Split) -> LeadImages:
    """Read one split's lead images back and shrink them to tensors, by the function that serving uses.

    Raises:
        DatasetError: ``out`` is not a finished preparation, or one of another preprocessing spec.
    """
    summary = read_prepared(out)
    if summary["preprocessing_fingerprint"] != MASKS_150.fingerprint:
        raise DatasetError(f"{out} was prepared with another preprocessing; remove it and run the step prepare")
    pages = [page for page in summary["pages"] if page["split"] == split]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        folders = [_page_folder(out, split, page["class"], page["name"]) for page in pages]
        tensors = list(pool.map(lambda folder: mask_tensor(_read_masks(folder), MASKS_150), folders))
    labels = np.array([CLASS_NAMES.index(page["class"]) for page in pages])
    return LeadImages(np.stack(tensors), labels, pages)


def _read_masks(folder: Path) -> dict[Lead, Mask]:
    return {
        lead: np.asarray(Image.open(_lead_path(folder, number)))
        for number, lead in enumerate(MASKS_150.layout.leads, start=1)
    }
