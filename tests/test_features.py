"""docs/features.md and docs/threats.md: each row names a test that exists; conftest.py looks
whether it passed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from bridge.desk.events.commands import ALL, REACTIONS

ROOT = Path(__file__).parent.parent
PAGES = ("features.md", "threats.md")
ROW = re.compile(
    r"^\| (?!feature|threat|-).+ \| `(tests/[\w/]+\.py)::(test_\w+)` \|$", re.MULTILINE
)
THREAT = re.compile(r"^\| T(\d\d) \| .+? \| (?:`(bridge/[\w/]+\.py)`|–) \| (.+?) \|$", re.MULTILINE)
REAL = ROOT / "tests" / "stories" / "test_real_desk.py"


def _text(page: str) -> str:
    return (ROOT / "docs" / page).read_text()


def named() -> list[tuple[str, str]]:
    """(file, test) of each row of both pages."""
    return [(row[1], row[2]) for page in PAGES for row in ROW.finditer(_text(page))]


def test_every_row_names_a_test_that_exists() -> None:
    rows = [
        line
        for page in PAGES
        for line in _text(page).splitlines()
        if line.startswith("| ") and not line.startswith(("| feature ", "| threat "))
    ]  # fmt: skip
    assert len(named()) == len(rows) > 80
    for file, test in named():
        tree = ast.parse((ROOT / file).read_text())
        functions = {node.name for node in tree.body
                     if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}  # fmt: skip
        assert test in functions, f"{file}::{test}"


def test_every_threat_has_its_row_its_defence_and_a_test_named_after_it() -> None:
    rows = THREAT.findall(_text("threats.md"))
    assert [int(number) for number, _, _ in rows] == list(range(1, 59))
    for number, file, test in rows:
        assert (ROOT / file).exists(), file
        assert re.search(rf"::test_(?:T\d\d_)*T{number}_", test), test


def test_every_command_and_reaction_of_agents_is_tried_on_a_real_homeserver() -> None:
    source = REAL.read_text()
    for spec in ALL:
        if spec.room != "control":
            # the whole word: `!note` is not `!no`
            assert re.search(rf"!{spec.word}(?![a-z])", source), spec.name
    for reaction in REACTIONS:
        assert f'"{reaction.emoji}"' in source, reaction
