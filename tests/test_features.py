"""docs/features.md: every row names a test that exists; conftest.py looks whether each passed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from bridge.chat.command import REACTIONS, TABLE

ROOT = Path(__file__).parent.parent
ROW = re.compile(
    r"^\| (?!feature|-)(.+?) \| (.+?) \| `(tests/[\w/]+\.py)::(test_\w+)` \|$", re.MULTILINE
)
REAL = ROOT / "tests" / "stories" / "test_real_desk.py"


def named() -> list[tuple[str, str]]:
    """(file, test) of each row."""
    return [(row[2], row[3]) for row in ROW.findall((ROOT / "docs" / "features.md").read_text())]


def test_every_row_names_a_test_that_exists() -> None:
    text = (ROOT / "docs" / "features.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(named()) == len(rows) > 30
    for file, test in named():
        tree = ast.parse((ROOT / file).read_text())
        functions = {node.name for node in tree.body
                     if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}  # fmt: skip
        assert test in functions, f"{file}::{test}"


def test_every_command_and_reaction_of_agents_is_tried_on_a_real_homeserver() -> None:
    source = REAL.read_text()
    for spec in TABLE:
        if spec.room != "control":
            assert f"!{spec.name}" in source, spec.name
    for emoji, meaning in REACTIONS:
        assert f'"{emoji}"' in source, meaning
