"""Writes the pages of docs/ that are made from the code: `make docs`."""

from __future__ import annotations

from pathlib import Path

from bridge.desk.events import commands

DOCS = Path(__file__).parent.parent / "docs"


def main() -> None:
    (DOCS / "agents.md").write_text(commands.agents_page())
    (DOCS / "admins.md").write_text(commands.admins_page())


if __name__ == "__main__":
    main()
