"""One WFDB record as samples by lead."""

from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from trainer.errors import DatasetError

__all__ = ["read_wfdb"]


def read_wfdb(record: Path) -> tuple[dict[str, NDArray[np.float64]], float, dict[str, str]]:
    """Read the record of a header file; ``record`` is its path without `.hea`.

    Returns:
        Samples (samples,) by signal name, samples a second, and units by signal name: what `conform` takes.

    Raises:
        DatasetError: the files are missing or damaged.
    """
    try:
        read = wfdb.rdrecord(str(record))
    except FileNotFoundError as error:
        raise DatasetError(f"{record}: {Path(str(error.filename)).name} is missing") from error
    except (ValueError, IndexError, KeyError, TypeError, OSError) as error:  # what wfdb's parsers meet
        raise DatasetError(f"{record} cannot be read as WFDB: {error}") from error
    if read.p_signal is None:
        raise DatasetError(f"{record} has signals of several rates; export it at one rate")
    samples = {name: read.p_signal[:, place] for place, name in enumerate(read.sig_name)}
    return samples, float(read.fs), dict(zip(read.sig_name, read.units, strict=True))
