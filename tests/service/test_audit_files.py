"""The audit's files by themselves: where one ends and the next begins, and lines that get to the disk in part."""

import json
import os
from pathlib import Path

import pytest

from service.audit_files import AuditFiles, audit_line
from tests.service.audits import answers, audit_files


def test_rotation(tmp_path: Path) -> None:
    files = AuditFiles(tmp_path, 2000)
    lines = [audit_line("answer", {"number": number, "filler": "x" * 100}) for number in range(100)]
    rest = lines
    while rest:
        rest = rest[files.append(rest) :]
    files.end_file()
    files.close()
    assert len(audit_files(tmp_path)) > 5
    assert all(file.stat().st_size <= 2000 + len(lines[0]) for file in audit_files(tmp_path))
    assert [record["number"] for record in answers(tmp_path)] == list(range(100))
    kinds = [[json.loads(line)["type"] for line in file.read_bytes().splitlines()] for file in audit_files(tmp_path)]
    assert all((one[0], one[-1], set(one[1:-1])) == ("open", "close", {"answer"}) for one in kinds)


def test_a_line_larger_than_a_file_is_written_all_the_same(tmp_path: Path) -> None:
    files = AuditFiles(tmp_path, 10)
    for number in range(3):
        assert files.append([audit_line("answer", {"number": number})]) == 1
    files.close()
    assert len(answers(tmp_path)) == 3


def test_a_line_that_gets_through_in_part_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = AuditFiles(tmp_path, 10**6)
    files.append([audit_line("answer", {"number": 1})])
    write = os.write

    def write_half(fd: int, data: memoryview) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return write(fd, data[: len(data) // 2])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write_half)
        with pytest.raises(OSError, match="No space"):
            files.append([audit_line("answer", {"number": 2})])
    files.append([audit_line("answer", {"number": 3})])
    files.close()
    assert audit_files(tmp_path)[0].read_bytes().endswith(b"\n")
    assert [record["number"] for record in answers(tmp_path)] == [1, 3]
