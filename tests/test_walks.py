"""The walks of docs/house.md: their files exist, lead to one another, and enter no folder twice."""

from __future__ import annotations

import inspect
import re
from itertools import groupby, pairwise

import pytest

from bridge.handlers import HANDLERS
from tests.test_floors import MODULES, ROOT, imports

HOUSE = (ROOT.parent / "docs" / "house.md").read_text()
WALKS = re.findall(r"^- \*\*(.+?)\*\*(.+?)(?=^- |^$)", HOUSE.partition("## Three walks")[2]
                   .partition("\n## ")[0] + "\n", re.MULTILINE | re.DOTALL)  # fmt: skip
STEP = re.compile(r"`([\w/]+)`\s*([→⇒·]?)")
PORTS = {
    "matrix/homeserver": "desk.chat.", "smtp/sender": "desk.sender.",
    "desk/events/listen": "self._take(",
}  # fmt: skip
"""Files that another one reaches through what it was given, and how that is written there."""


def steps(walk: str) -> list[tuple[str, str]]:
    """(file, how it leads to the next) of each step."""
    return STEP.findall(walk)


def module(file: str) -> str:
    return f"bridge.{file.replace('/', '.')}"


def leads(here: str, how: str, there: str) -> bool:
    if how == "→":
        return module(there) in imports(ROOT / f"{here}.py")
    given = PORTS.get(there)
    if given is not None:
        sources = [*(ROOT / here).parent.glob("*.py"), *(ROOT / here).parent.parent.glob("*.py")]
        return any(given in path.read_text() for path in sources)
    return any(inspect.getmodule(act) is not None
               and inspect.getmodule(act).__name__ == module(there)  # type: ignore[union-attr]  # looked at above
               for act in HANDLERS.values())  # fmt: skip


def test_there_are_three() -> None:
    assert len(WALKS) == 3


@pytest.mark.parametrize(("title", "walk"), WALKS)
def test_a_walk_leads_from_file_to_file(title: str, walk: str) -> None:
    for file, _ in steps(walk):
        assert module(file) in MODULES, file
    beside = False
    for (here, how), (there, _) in pairwise(steps(walk)):
        if how == "·" or beside:  # both come from the file before
            beside = how == "·"
            continue
        assert leads(here, how, there), f"{title}: {here} {how} {there}"


@pytest.mark.parametrize(("title", "walk"), WALKS)
def test_a_walk_enters_each_folder_once(title: str, walk: str) -> None:
    folders = [folder for folder, _ in groupby(file.rpartition("/")[0] for file, _ in steps(walk))]
    assert len(folders) == len(set(folders)), f"{title}: {folders}"
