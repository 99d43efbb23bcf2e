"""Log lines: one per record, whatever the values hold."""

import json
import logging
import re
import sys
from datetime import datetime

import pytest

from service.telemetry.logs import JsonFormatter, LineFormatter
from tests.conftest import REPOSITORY


def record_of(
    message: str = "request", fields: dict[str, object] | None = None, *, broken: bool = False
) -> logging.LogRecord:
    record = logging.LogRecord("service", logging.INFO, __file__, 1, message, (), sys.exc_info() if broken else None)
    record.fields = fields or {}
    return record


def line(message: str = "request", fields: dict[str, object] | None = None, *, broken: bool = False) -> str:
    return LineFormatter().format(record_of(message, fields, broken=broken))


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


@pytest.mark.parametrize("created_s", [0.0, 1_767_225_599.9996, 1_767_225_600.0, 1_767_225_600.0625])
def test_the_time_is_the_record_s_to_the_millisecond(created_s: float) -> None:
    record = record_of()
    record.created, record.msecs = created_s, created_s % 1 * 1000
    time = LineFormatter().format(record).split()[0].removeprefix("time=")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", time)
    assert 0 <= created_s - datetime.fromisoformat(time).timestamp() < 0.001


def test_a_traceback_stays_on_the_line() -> None:
    try:
        int("first\nsecond")
    except ValueError:
        written = line("internal_error", broken=True)
    assert "\n" not in written
    assert "ValueError: invalid literal for int() with base 10: 'first\\\\nsecond'" in written


def test_json_keeps_numbers_and_stays_on_its_line() -> None:
    fields: dict[str, object] = {
        "status": 200,
        "duration_ms": 12.3456,
        "route": "/health",
        "forged": 'a\n"level": "error"',
    }
    written = JsonFormatter().format(record_of(fields=fields))
    assert "\n" not in written
    facts = json.loads(written)
    assert facts.pop("time").endswith("+00:00")
    assert facts == {"level": "info", "logger": "service", "event": "request"} | fields | {"duration_ms": 12.35}


def test_json_holds_the_traceback() -> None:
    try:
        int("first\nsecond")
    except ValueError:
        written = JsonFormatter().format(record_of("internal_error", broken=True))
    assert "\n" not in written
    assert "ValueError: invalid literal for int()" in json.loads(written)["traceback"]


def test_every_event_is_documented() -> None:
    documented = (REPOSITORY / "docs" / "operations.md").read_text()
    for module in (REPOSITORY / "service").glob("**/*.py"):
        for event in re.findall(r'logger\.\w+\(\s*"(\w+)"', module.read_text()):
            assert f"`{event}`" in documented or f"`event={event}`" in documented
