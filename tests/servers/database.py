"""Looking into a bridge's database from outside, while it runs or after it died."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg


async def rows(url: str, folder: Path, query: str) -> list[Mapping[str, Any]]:
    """The rows of a query; a relative SQLite file lies in `folder`."""
    if url.startswith("sqlite:"):
        path = folder / url.removeprefix("sqlite:")
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(query)]
    conn = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await conn.fetch(query)]
    finally:
        await conn.close()
