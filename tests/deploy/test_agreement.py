"""What is written down in several files of a deployment is the same in each."""

import re
from typing import Any

import pytest
import yaml

from gateway.settings import GatewaySettings
from service import __version__
from service.settings import Settings
from tests.conftest import REPOSITORY

COMPOSE = ("docker-compose.yml", "docker/keys.yml")
OURS = re.compile(r"^\$\{IMAGE_PREFIX:-ecg-report-classifier\}/([a-z-]+):(.+)$")


def composed(file: str) -> dict[str, Any]:
    return dict(yaml.safe_load((REPOSITORY / file).read_text()))


def services(file: str) -> dict[str, dict[str, Any]]:
    return dict(composed(file)["services"])


def test_the_images_have_the_version_of_the_program() -> None:
    ours = {name: match for name, one in services(COMPOSE[0]).items() if (match := OURS.match(one["image"]))}
    assert {name: match.groups() for name, match in ours.items()} == {
        name: (name, __version__) for name in ("service", "service-gpu", "trainer", "batch", "gateway")
    }
    assert {services(COMPOSE[0])[name]["build"]["args"]["VERSION"] for name in ours} == {__version__}


def test_the_newest_entry_of_the_change_log_is_this_version() -> None:
    heading = re.search(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading
    assert heading.group(1) == __version__


@pytest.mark.parametrize("file", COMPOSE)
def test_every_setting_is_one(file: str) -> None:
    given = {name for one in services(file).values() for name in one.get("environment", ()) if name.startswith("ECG_")}
    assert given
    known = {f"ECG_{name.upper()}" for name in Settings.model_fields}
    known |= {f"ECG_GATEWAY_{name.upper()}" for name in GatewaySettings.model_fields}
    assert given <= known


def test_grace_period_outlasts_shutdown() -> None:
    grace_s = int(services(COMPOSE[0])["service"]["stop_grace_period"].removesuffix("s"))
    defaults = Settings()
    assert grace_s > defaults.drain_delay_s + defaults.shutdown_grace_s


@pytest.mark.parametrize("name", services(COMPOSE[0]))
def test_every_container_is_hardened(name: str) -> None:
    one = services(COMPOSE[0])[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert {"cpus", "mem_limit", "memswap_limit", "pids_limit"} <= set(one)
    assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ()))


def test_what_may_be_set_is_written_at_the_top() -> None:
    text = (REPOSITORY / COMPOSE[0]).read_text()
    listed = re.search(r"or in \.env: ([A-Z_ #\n]+)\.", text)
    assert listed
    assert set(re.findall(r"[A-Z_]+", listed.group(1))) == set(re.findall(r"\$\{(\w+):-", text))


def test_nothing_but_what_images_are_built_of_reaches_the_engine() -> None:
    lines = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    allowed = {line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")}
    assert lines[0] == "*"
    assert all((REPOSITORY / path).exists() for path in allowed - {"wheels"})
