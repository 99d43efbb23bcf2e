"""Tables of groups are read as spreadsheets and shells write them; what contradicts itself is refused."""

from pathlib import Path

import pytest

from trainer.errors import DatasetError
from trainer.groups import read_groups

A, B, C = "a1" * 32, "b2" * 32, "c3" * 32
PLAIN = f"sha256,record_id\n{A},17\n{B},17\n{C},18\n"
EXPECTED = {A: "17", B: "17", C: "18"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "groups.csv"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("sha256,record_id", " SHA256 ,Record_ID").encode(),
        PLAIN.replace(A, A.upper()).replace(B, f" {B} ").encode(),
        PLAIN.replace(",17\n", ",17 \n", 1).encode(),
        f'#TYPE System.Object\n"sha256","record_id"\n"{A}","17"\n"{B}","17"\n\n"{C}","18"\n,\n'.encode(),
        f"sep=;\nsha256;record_id;name\n{A};17;Müller\n{B};17;\n{C};18;x\n".encode("cp1252"),
    ],
    ids=["plain", "bom", "utf16", "semicolon", "tab", "crlf", "header", "hashes", "padded", "powershell", "excel"],
)
def test_table_is_read_as_programs_write_it(table: Path, content: bytes) -> None:
    table.write_bytes(content)
    assert read_groups(table).records == EXPECTED


@pytest.mark.parametrize("blank", ["", " ", '" "'])
def test_blank_id_leaves_the_record_open(table: Path, blank: str) -> None:
    table.write_text(f"sha256,record_id\n{A},{blank}\n")
    assert read_groups(table).records == {A: None}


def test_repeated_row_is_no_contradiction(table: Path) -> None:
    table.write_text(f"sha256,record_id\n{A},17\n{A},17\n{A},\n")
    assert read_groups(table).records == {A: "17"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            PLAIN.encode() + f"{A},19\n".encode(),
            "row 5: the page a1a1a1a1a1a1… has the record id 19, but 17 further up",
        ),
        (b"name,id\n", "has the columns name, id; expected sha256 and record_id"),
        (b"", "is empty"),
        (f"sha256,record_id\n{A[:-1]},17\n".encode(), "is no SHA-256; expected 64 hexadecimal digits"),
        (b"sha256,record_id\n,17\n", "is no SHA-256"),
        (f"sha256,record_id\n{A},1.23457E+11\n".encode(), "a spreadsheet rounded the record id to 1.23457E.11"),
        (b"PK\x03\x04rest", "is an Excel workbook; save it as CSV"),
        (b"sha256\0record_id", "is no text"),
    ],
)
def test_unusable_table_is_refused_with_its_reason(table: Path, content: bytes, reason: str) -> None:
    table.write_bytes(content)
    with pytest.raises(DatasetError, match=reason):
        read_groups(table)
