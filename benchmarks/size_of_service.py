"""How much there is to read: files, lines and prose of a package.

    python -m benchmarks.size_of_service [FOLDER]

A line of code is one that is neither blank nor only comment or docstring. Prose is the words of both.
"""

import ast
import io
import sys
import tokenize
from pathlib import Path
from typing import NamedTuple


class Size(NamedTuple):
    """One file, or several added up."""

    lines: int
    code_lines: int
    prose_words: int


def size_of(source: str) -> Size:
    """Measure one file; every string that stands alone is a docstring."""
    docstrings = [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    comments = [token.string.lstrip("#") for token in tokens if token.type == tokenize.COMMENT]
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    code = {line for token in tokens if token.type not in layout for line in range(token.start[0], token.end[0] + 1)}
    for docstring in docstrings:
        code.difference_update(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    words = sum(len(text.split()) for text in (*(str(docstring.value) for docstring in docstrings), *comments))
    return Size(source.count("\n"), len(code), words)


def main() -> None:
    """Print the sizes of the folder that the command line names."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "service")
    sizes = {file: size_of(file.read_text()) for file in sorted(folder.rglob("*.py"))}
    longest = max(sizes, key=lambda file: sizes[file].lines)
    code_lines = sum(size.code_lines for size in sizes.values())
    prose_words = sum(size.prose_words for size in sizes.values())
    print(f"files: {len(sizes)}")
    print(f"lines: {sum(size.lines for size in sizes.values())}, of code: {code_lines}")
    print(f"longest file: {longest}, {sizes[longest].lines} lines")
    print(f"words of prose per 100 lines of code: {100 * prose_words / code_lines:.0f}")


if __name__ == "__main__":
    main()
