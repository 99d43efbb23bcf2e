"""A test's name states one behaviour, in at most 60 characters."""

import ast

from tests.conftest import REPOSITORY

LONGEST = 60


def test_no_test_name_is_too_long() -> None:
    too_long = [
        f"{path.relative_to(REPOSITORY)}: {node.name}"
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_") and len(node.name) > LONGEST
    ]
    assert not too_long, "\n".join(too_long)
