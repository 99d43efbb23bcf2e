"""Log lines: one per record, whatever the values hold."""

import json
import logging
import sys

import pytest

from service.log_config import LineFormatter


def line(message: str = "request", fields: dict[str, object] | None = None, *, broken: bool = False) -> str:
    record = logging.LogRecord("service", logging.INFO, __file__, 1, message, (), sys.exc_info() if broken else None)
    record.fields = fields or {}
    return LineFormatter().format(record)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("POST", "POST"),
        (200, "200"),
        (12.3456, "12.35"),
        ("/health/live", "/health/live"),
        ("tiny/1", "tiny/1"),
        ("two words", '"two words"'),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('say "x"', json.dumps('say "x"')),
        ("forged\nlevel=error", '"forged\\nlevel=error"'),
    ],
)
def test_values(value: object, written: str) -> None:
    assert line(fields={"value": value}).endswith(f" level=info logger=service event=request value={written}")


def test_a_traceback_stays_on_the_line() -> None:
    try:
        int("first\nsecond")
    except ValueError:
        written = line("internal_error", broken=True)
    assert "\n" not in written
    assert "ValueError: invalid literal for int() with base 10: 'first\\\\nsecond'" in written
