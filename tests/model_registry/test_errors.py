"""The exception tree is the one its docstring draws."""

import re

from model_registry import errors


def drawn_tree() -> dict[str, str]:
    """Parent of each class below the root, read off the indentation of the drawing."""
    parents, path = {}, ["RegistryError"]
    for match in re.finditer(r"^    ((?:[|] {3}|)*)[+]-- (\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(match[1]) // 4 + 1
        parents[match[2]] = path[depth - 1]
        path[depth:] = [match[2]]
    return parents


def test_the_docstring_draws_the_tree() -> None:
    classes = [getattr(errors, name) for name in errors.__all__]
    actual = {kind.__name__: kind.__bases__[0].__name__ for kind in classes if kind is not errors.RegistryError}
    assert drawn_tree() == actual


def test_a_broken_bundle_says_which_why_and_what_to_do() -> None:
    error = errors.UnknownSchemaError("tiny/3", "its schema_version is 2, expected 1")
    assert (error.ref, error.reason) == ("tiny/3", "its schema_version is 2, expected 1")
    assert str(error) == (
        "Bundle tiny/3 is refused: its schema_version is 2, expected 1. "
        "Upgrade this program, or publish the bundle again with this version of it."
    )
