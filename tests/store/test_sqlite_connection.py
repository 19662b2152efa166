"""SQLite in the event loop's own thread: what takes long holds nobody up, a unit stays whole."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from bridge.model import Transient
from bridge.store.database import Database
from bridge.store.sqlite import SETTINGS
from bridge.store.sqlite_connection import LARGE, connect

COUNT = (
    "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
    " SELECT MAX(i) FROM n"
)
"""A statement of some hundred milliseconds."""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:{tmp_path}/postroom.db")
    yield database
    await database.close()


async def turns_during(work: Callable[[], Coroutine[Any, Any, object]]) -> int:
    """How often others had their turn while `work` was done."""
    turns = 0
    task = asyncio.create_task(work())
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    await task
    return turns


async def test_a_statement_that_took_long_holds_nobody_up_again(database: Database) -> None:
    async def read() -> None:
        async with database.reading() as tx:
            assert await tx.conn.fetchval(COUNT) == 300000

    async def write() -> None:
        async with database.transaction("settings") as tx:
            await tx.conn.fetchval(COUNT)

    alone = await turns_during(read)
    assert await turns_during(read) > 100 * alone
    assert await turns_during(write) > 100 * alone


async def test_others_read_while_a_long_statement_runs(database: Database) -> None:
    async with database.reading() as tx:
        await tx.conn.fetchval(COUNT)
        searching = asyncio.create_task(tx.conn.fetchval(COUNT))
        await asyncio.sleep(0)
        for _ in range(20):
            await tx.settings.value("a")
        assert not searching.done()
        await searching


async def test_a_large_value_is_written_in_a_thread(database: Database) -> None:
    async with database.transaction("settings") as tx:
        small = await turns_during(lambda: tx.mails.keep_raw(bytes(LARGE // 2)))
        assert await turns_during(lambda: tx.mails.keep_raw(bytes(40 * LARGE))) > 20 * small


async def test_who_is_cancelled_during_a_long_statement_leaves_nothing(database: Database) -> None:
    async def write() -> None:
        async with database.transaction("settings") as tx:
            await tx.settings.set_value("half", "x")
            await tx.conn.fetchval(COUNT)
            await tx.conn.fetchval(COUNT)

    await write()
    async with database.transaction("settings") as tx:
        await tx.settings.set_value("half", "before")
    task = asyncio.create_task(write())
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.transaction("settings") as tx:
        assert await tx.settings.value("half") == "before"


async def test_what_is_not_committed_is_not_read_and_readers_cannot_write(
    database: Database,
) -> None:
    async with database.transaction("settings") as tx:
        await tx.settings.set_value("a", "b")
        async with database.reading() as other:
            assert await other.settings.value("a") is None
    async with database.reading() as tx:
        assert await tx.settings.value("a") == "b"
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await tx.settings.set_value("a", "c")


async def test_a_snapshot_stays_at_its_moment(database: Database) -> None:
    async with database.snapshot() as old:
        assert await old.fetchval("SELECT COUNT(*) FROM setting") == 0
        async with database.transaction("settings") as tx:
            await tx.settings.set_value("a", "b")
        assert await old.fetchval("SELECT COUNT(*) FROM setting") == 0


async def test_a_file_that_another_program_locks_is_waited_for(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(tmp_path / "postroom.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def write() -> None:
        async with database.transaction("settings") as tx:
            await tx.settings.set_value("a", "b")

    waiting = asyncio.create_task(write())
    await asyncio.sleep(0)
    assert not waiting.done()
    other.execute("ROLLBACK")
    await waiting
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("bridge.store.sqlite.PATIENCE", 0.0)
    with pytest.raises(Transient, match="database is locked"):
        await write()
    other.close()
    await write()


async def test_a_full_disk_in_the_middle_undoes_the_whole_unit(database: Database) -> None:
    """SQLite may end the transaction by itself."""
    async with database.transaction("settings") as tx:
        pages = await tx.conn.fetchval("PRAGMA page_count")

    async def fill() -> None:
        async with database.transaction("settings") as tx:
            await tx.settings.set_value("first", "x")
            await tx.conn.fetchval(f"PRAGMA max_page_count = {pages + 10}")
            await tx.mails.keep_raw(bytes(range(256)) * 1000)

    with pytest.raises(Transient, match="full"):
        await fill()
    async with database.transaction("settings") as tx:
        assert await tx.settings.value("first") is None
        await tx.conn.fetchval("PRAGMA max_page_count = 1000000")
        await tx.settings.set_value("first", "y")
    async with database.reading() as tx:
        assert await tx.settings.value("first") == "y"


def test_a_file_that_is_locked_while_it_is_opened_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by another program that opens it after a crash, and reads its log again."""
    path = tmp_path / "postroom.db"
    connect(str(path), *SETTINGS, patience=0).close()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with monkeypatch.context() as patched:
        patched.setattr("bridge.store.sqlite_connection.OPENING", 0.0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            connect(str(path), *SETTINGS, patience=0)
    gone = threading.Timer(0.2, other.close)
    gone.start()
    connect(str(path), *SETTINGS, patience=0).close()
    gone.join()
