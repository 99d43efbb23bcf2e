"""Read a WFDB record or a Philips XML document; run by `sources.disposable`, never imported by the service.

Answers with names, units and rate, and the signals as float64, one after the other.
"""

import io
import json
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, cast

_MOST_FILES = 30
_MOST_BYTES = 64 * 2**20
_MOST_S = 10.1  # of a record: as much as a page shows
_MOST_XML_TAGS = 100_000


class RefusedError(Exception):
    """What is refused, and what was expected."""


def main() -> None:
    """Answer on stdout: one line of JSON, then bytes."""
    data = sys.stdin.buffer.read()
    payload = b""
    try:
        header, payload = {"wfdb": _wfdb, "philips_xml": _philips}[sys.argv[1]](data)
    except RefusedError as refusal:
        found, expected = refusal.args
        header = {"refused": found, "expected": expected}
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - parsers of hostile bytes raise anything; the parent says it in one word
        header = {"damaged": True}
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + payload)


def _wfdb(data: bytes) -> tuple[dict[str, Any], bytes]:
    with tempfile.TemporaryDirectory() as folder:
        header_file, names = _unpacked(data, folder)
        return _record(str(Path(folder, header_file.removesuffix(".hea"))), names)


def _unpacked(data: bytes, folder: str) -> tuple[str, set[str]]:
    """Unpack a zip file without its folders; the name of its only header, and all names."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        files = [info for info in packed.infolist() if not info.is_dir()]
        names = [PurePosixPath(info.filename).name for info in files]
        if len(files) > _MOST_FILES or sum(info.file_size for info in files) > _MOST_BYTES:
            raise RefusedError(
                "in too many or too large files", f"{_MOST_FILES} files, {_MOST_BYTES // 2**20} MiB unpacked"
            )
        headers = [name for name in names if name.endswith(".hea")]
        if len(headers) != 1 or len(set(names)) < len(names):
            raise RefusedError(
                f"with {len(headers)} header files", "one header (.hea) and the signal files that it names"
            )
        for info, name in zip(files, names, strict=True):
            with packed.open(info) as file:
                Path(folder, name).write_bytes(file.read(_MOST_BYTES))
    return headers[0], set(names)


def _record(record: str, names: set[str]) -> tuple[dict[str, Any], bytes]:
    import wfdb  # noqa: PLC0415 - each kind needs its own package

    header = wfdb.rdheader(record)
    if missing := set(header.file_name or ()) - names:  # also a path out of the folder
        raise RefusedError(
            f"without {len(missing)} of its signal files", "the header and the signal files that it names"
        )
    read = wfdb.rdrecord(record, sampto=min(header.sig_len, round(_MOST_S * header.fs)))
    if read.p_signal is None:
        raise RefusedError("with signals at several rates", "one rate")
    facts = {"names": read.sig_name, "units": read.units, "rate_hz": float(read.fs)}
    return facts, read.p_signal.T.astype("<f8").tobytes()


def _philips(data: bytes) -> tuple[dict[str, Any], bytes]:
    import numpy as np  # noqa: PLC0415 - as above
    import sierraecg  # noqa: PLC0415
    from defusedxml import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import fromstring  # noqa: PLC0415

    if data.count(b"<") > _MOST_XML_TAGS:
        raise RefusedError(f"of more than {_MOST_XML_TAGS} tags", "one ECG")
    try:
        resolutions = [
            float(one.text)
            for one in fromstring(data).iter()
            if one.tag.rpartition("}")[2] in {"signalresolution", "resolution"} and one.text
        ]
        read = sierraecg.read_file(cast("str", io.BytesIO(data)))  # the XML parser takes a file as well
    except DefusedXmlException:
        raise RefusedError("that declares entities", "a document without") from None
    except sierraecg.lib.UnsupportedXmlFileError:
        raise RefusedError("of another version or encoding", "version 1.03 or 1.04, XLI compression") from None
    if not resolutions:
        raise RefusedError("without a signal resolution", "one in microvolts a bit")
    signals_uv = np.stack([lead.samples.astype("<f8") * resolutions[0] for lead in read.leads])
    facts = {
        "names": [lead.label for lead in read.leads],
        "units": ["uV"] * len(read.leads),
        "rate_hz": read.leads[0].sampling_freq,
    }
    return facts, signals_uv.tobytes()


if __name__ == "__main__":
    main()
