"""Texts that people read, kept beside the tests: `GOLDEN=write` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent


def check(file: str, name: str, text: str) -> None:
    """Compare `text` with the section `name` of a golden file."""
    path = FOLDER / file
    sections = read(path)
    if os.environ.get("GOLDEN") == "write":
        sections[name] = text.strip()
        parts = [f"## {each}\n{body}\n" for each, body in sorted(sections.items())]
        path.write_text("\n".join(parts))
    expected = sections.get(name, "").splitlines()
    assert text.strip().splitlines() == expected, f"{path.name}: {name}"


def read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    for section in path.read_text().split("## ")[1:]:
        name, _, body = section.partition("\n")
        found[name] = body.strip()
    return found
