from benchmarks.size_of_service import Size, size_of

SOURCE = '''"""Two words."""

LIMIT = 3  # of pages
"""A limit."""


def text() -> str:
    # Why it is so.
    return """Not
prose"""
'''


def test_code_and_prose_are_told_apart() -> None:
    assert size_of(SOURCE) == Size(lines=10, code_lines=4, prose_words=10)
