"""docker-compose.yml as it is without a file or a variable of its operator's."""

import re
from functools import cache
from typing import Any

import yaml

from tests.conftest import REPOSITORY

__all__ = ["COMPOSE", "as_environment", "services"]

COMPOSE = REPOSITORY / "docker-compose.yml"


@cache
def services() -> dict[str, dict[str, Any]]:
    """By name; ``${NAME:-default}`` is the default."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE.read_text())
    content: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return content


def as_environment(service: dict[str, Any]) -> dict[str, str]:
    """The variables that are set."""
    given = service.get("environment", {})
    pairs = (pair.partition("=")[::2] for pair in given) if isinstance(given, list) else given.items()
    return {name: str(value) for name, value in pairs}
