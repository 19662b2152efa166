"""Finds a function, method or constant of the bridge by its name, wherever it stands."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from tests.mutants.table import Mutant

Place = tuple[Path, int, int]
"""A file, and from which character to which a symbol stands in it."""


def places(bridge: Path, symbol: str) -> Iterator[Place]:
    """Every place of a symbol, as `function`, `Class.method` or `CONSTANT`."""
    for path in sorted(bridge.rglob("*.py")):
        for name, begin, end in _symbols(path.read_text()):
            if name == symbol:
                yield path, begin, end


@functools.cache
def _symbols(text: str) -> list[tuple[str, int, int]]:
    """(name, first character, character after the last) of each symbol of a file."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return [
        (name, starts[node.lineno - 1], starts[node.end_lineno or node.lineno])
        for name, node in _named(ast.parse(text), "")
    ]


def _named(tree: ast.AST, prefix: str) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _named(node, f"{node.name}.")
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield prefix + target.id, node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield prefix + node.target.id, node


def place_of(bridge: Path, mutant: Mutant) -> Place:
    """The one place of its symbol that holds what a mutant changes, once. Raises LookupError."""
    found = [
        (path, begin, end)
        for path, begin, end in places(bridge, mutant.symbol)
        if path.read_text()[begin:end].count(mutant.old) == 1
    ]
    if len(found) != 1:
        raise LookupError(f"{mutant.symbol}: {mutant.old!r} stands in {len(found)} places, not one")
    return found[0]


def applied(bridge: Path, mutant: Mutant) -> tuple[Path, str]:
    """The file a mutant changes, and its text then."""
    path, begin, end = place_of(bridge, mutant)
    text = path.read_text()
    return path, text[:begin] + text[begin:end].replace(mutant.old, mutant.new) + text[end:]
