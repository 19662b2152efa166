"""SQLite: what is written is on the disk, and one process owns the file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bridge import failpoint
from bridge.model import Permanent, Transient
from bridge.store.database import Database


async def pragma(database: Database, name: str) -> str:
    """A setting of the connection that writes."""
    async with database.transaction("settings") as tx:
        return str(await tx.conn.fetchval(f"PRAGMA {name}"))


async def test_the_disk_is_waited_for(tmp_path: Path) -> None:
    """PRAGMA synchronous: 2 is FULL; mautrix's default would be NORMAL."""
    database = await Database.open(f"sqlite:{tmp_path}/postroom.db")
    assert await pragma(database, "synchronous") == "2"
    assert await pragma(database, "journal_mode") == "wal"
    assert await pragma(database, "foreign_keys") == "1"
    assert await pragma(database, "secure_delete") == "1"
    await database.close()


async def test_a_file_whose_mode_cannot_be_changed_is_opened_and_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a share that knows no modes."""

    def refuse(path: object, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    (tmp_path / "postroom.db").touch(0o644)
    monkeypatch.setattr("os.chmod", refuse)
    database = await Database.open(f"sqlite:{tmp_path}/postroom.db")
    assert await pragma(database, "journal_mode") == "wal"
    await database.close()
    said = capsys.readouterr().out
    assert "others may read the database" in said
    assert "postroom.db" in said


async def test_a_second_process_is_refused_and_a_dead_one_is_not_in_the_way(
    tmp_path: Path,
) -> None:
    database = await Database.open(f"sqlite:{tmp_path}/postroom.db")
    with pytest.raises(Permanent, match="in use by process"):
        await Database.open(f"sqlite:{tmp_path}/postroom.db")
    await database.close()
    again = await Database.open(f"sqlite:{tmp_path}/postroom.db")
    await again.close()


async def test_a_locked_file_is_transient(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:{tmp_path}/postroom.db")
    failpoint.arm("settings:before:1:busy")
    try:
        with pytest.raises(Transient, match="cannot be written: database is locked"):
            async with database.transaction("settings") as tx:
                await tx.settings.set_value("a", "b")
        async with database.reading() as tx:
            assert await tx.settings.value("a") is None
    finally:
        failpoint.disarm()
        await database.close()


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    await (await Database.open(f"sqlite:{tmp_path}/postroom.db")).close()
    db = sqlite3.connect(tmp_path / "postroom.db")
    db.execute("UPDATE postroom_version SET version = 99")
    db.commit()
    db.close()
    with pytest.raises(Permanent, match="newer Postroom"):
        await Database.open(f"sqlite:{tmp_path}/postroom.db")
