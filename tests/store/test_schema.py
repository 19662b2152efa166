"""Databases of before 1.0 come to its tables, and nothing of them is lost.

`tests/golden/database-N.json` holds the rows that a bridge of version N left when it stopped: two
conversations, merged, with files, a reply, a snooze and jobs that wait.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bridge.config.settings import Settings
from bridge.model import MailId, Number, Permanent, Place, Role, Shows
from bridge.model.admin_task import EmptyLog
from bridge.model.job import loaded
from bridge.model.task import CallHook, ReadEventAgain, ReceiveMail, UploadFile, Wake
from bridge.operate import backup
from bridge.store import prerelease
from bridge.store.database import Database
from bridge.store.posts import post_of
from bridge.store.schema import POSTGRES_SERIAL, SQLITE_SERIAL
from bridge.store.tables import POSTGRES_WORDS, SQLITE_WORDS
from tests.golden import FOLDER

BELONG = {
    Shows.MAIL: "mail", Shows.FILE: "mail", Shows.STATUS: "delivery", Shows.CARD: "conversation",
    Shows.HAND: "conversation",
}  # fmt: skip
Rows = dict[str, list[dict[str, Any]]]


def kept(version: int) -> Rows:
    found: Rows = json.loads((FOLDER / f"database-{version}.json").read_text())
    return found


def statements(version: int) -> str:
    if version == 7:
        return (FOLDER / "version-7.sql").read_text()
    return (FOLDER / "version-5.sql").read_text() + (prerelease.SHARES if version > 5 else "")


def _bytes(value: object) -> object:
    is_bytes = isinstance(value, str) and value.startswith("\\x")
    return bytes.fromhex(str(value)[2:]) if is_bytes else value


def in_sqlite(path: Path, version: int) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(statements(version).format(serial=SQLITE_SERIAL))
        for statement in SQLITE_WORDS:
            db.execute(statement)
        db.execute("CREATE TABLE postroom_version (version INTEGER PRIMARY KEY)")
        db.execute("INSERT INTO postroom_version VALUES (?)", (version,))
        for table, rows in kept(version).items():
            for row in rows:
                places = ", ".join("?" * len(row))
                db.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})",
                    [_bytes(value) for value in row.values()],
                )
        db.commit()


async def in_postgres(url: str, version: int) -> None:
    db = await asyncpg.connect(url)
    try:
        await db.execute(statements(version).format(serial=POSTGRES_SERIAL))
        for statement in POSTGRES_WORDS:
            await db.execute(statement)
        await db.execute("CREATE TABLE postroom_version (version INTEGER PRIMARY KEY)")
        await db.execute(f"INSERT INTO postroom_version VALUES ({version})")
        rows = kept(version)
        for table in sorted(rows, key=["raw", "conversation"].__contains__, reverse=True):
            columns = ", ".join(rows[table][0])
            await db.execute(
                f"INSERT INTO {table} ({columns}) SELECT {columns}"
                f" FROM jsonb_populate_recordset(NULL::{table}, $1::jsonb)",
                json.dumps(rows[table]),
            )
    finally:
        await db.close()


async def structure(database: Database) -> dict[str, object]:
    """Each column with its type and whether it may be empty, and each index."""
    async with database.reading() as tx:
        if database.is_shared:
            columns = await tx.conn.fetch(
                "SELECT table_name AS t, column_name AS c, data_type AS k, is_nullable AS n"
                " FROM information_schema.columns WHERE table_schema = 'public'"
            )
            indexes = await tx.conn.fetch(
                "SELECT indexname AS i, indexdef AS d FROM pg_indexes WHERE schemaname = 'public'"
            )
        else:
            columns = await tx.conn.fetch(
                'SELECT m.name AS t, c.name AS c, c.type AS k, c."notnull" AS n'
                " FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c"
                " WHERE m.type = 'table'"
            )
            indexes = await tx.conn.fetch(
                "SELECT name AS i, sql AS d FROM sqlite_master"
                " WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
            )
    found: dict[str, object] = {f"{r['t']}.{r['c']}": (r["k"], r["n"]) for r in columns}
    return found | {_plain(r["i"]): _plain(r["d"]) for r in indexes}


def _plain(statement: str) -> str:
    """A table that took another name keeps those of its indexes."""
    text = statement.replace("post_file", "file").replace("keep_pkey", "setting_pkey")
    return " ".join(text.split())


@pytest.fixture(params=[5, 6, 7])
async def url(
    request: pytest.FixtureRequest, new_database: Callable[[Path], str], tmp_path: Path
) -> str:
    """A database as a bridge of before left it."""
    url = new_database(tmp_path)
    if url.startswith("sqlite:"):
        in_sqlite(Path(url.removeprefix("sqlite:")), request.param)
    else:
        await in_postgres(url, request.param)
    return url


async def test_a_database_of_before_becomes_as_a_new_one_is(
    url: str, new_database: Callable[[Path], str], tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    old, new = await Database.open(url), await Database.open(new_database(tmp_path / "new"))
    try:
        assert await structure(old) == await structure(new)
    finally:
        await old.close()
        await new.close()


async def test_posts_know_what_they_show_and_files_whose_they_are(url: str) -> None:
    database = await Database.open(url)
    try:
        async with database.reading() as tx:
            posts = [post_of(row) for row in await tx.conn.fetch("SELECT * FROM post ORDER BY id")]
            texts = {row["key"] for row in kept(6)["post"]} | {r["key"] for r in kept(5)["post"]}
            assert len(posts) == 50
            assert {post.key.text for post in posts} <= texts
            shows = Counter(post.key.shows for post in posts)
            assert (shows[Shows.MAIL], shows[Shows.FILE], shows[Shows.CARD]) == (3, 4, 2)
            for post in posts:
                if post.key.shows in BELONG:
                    number = getattr(post.key, BELONG[post.key.shows])
                    assert post.key.text.split(":")[1] == str(number)
            first = await tx.posts.of_mail(MailId(1))
            assert [post.key.shows for post in first] == [Shows.MAIL, Shows.FILE, Shows.FILE]
            files = {post.id: await tx.posts.file(post.id) for post in posts}
            named = {post.key.text: files[post.id] for post in posts if files[post.id]}
            assert {f.attachment.name for f in named.values() if f} == {
                "photo.png", "list.csv", "bill.pdf",
            }  # fmt: skip
            copies = [post for post in await tx.posts.of_mail(MailId(3)) if post.key.is_copy]
            assert {post.place for post in copies} == {Place.of(Number(1))}
            card = next(post for post in posts if post.key.shows is Shows.CARD)
            assert card.place.role is Role.QUEUE
            hand = next(post for post in posts if post.key.shows is Shows.HAND)
            assert await tx.posts.target_of(hand) == card.event
    finally:
        await database.close()


async def test_jobs_that_waited_are_done_by_this_version(url: str) -> None:
    database = await Database.open(url)
    try:
        async with database.reading() as tx:
            jobs = await tx.conn.fetch("SELECT kind, lane, key, payload FROM job ORDER BY id")
            tasks = [loaded(job["kind"], job["payload"]) for job in jobs]
            file = await tx.conn.fetchval("SELECT post FROM file WHERE NOT done")
    finally:
        await database.close()
    expected: list[type] = [Wake, UploadFile, ReceiveMail, CallHook, EmptyLog, ReadEventAgain]
    assert [type(task) for task in tasks] == expected[: len(tasks)]
    assert [job["key"] for job in jobs] == [task.key for task in tasks]
    assert UploadFile(file) in tasks
    assert (jobs[1]["lane"], jobs[2]["lane"]) == (f"upload:{file}", "inbox:support:receive")


async def test_keys_of_addresses_come_to_the_one_form(tmp_path: Path) -> None:
    path = tmp_path / "postroom.db"
    in_sqlite(path, 7)
    with contextlib.closing(sqlite3.connect(path)) as db:
        (number, key), *_ = db.execute("SELECT number, address FROM participant").fetchall()
        db.execute("UPDATE participant SET address = 'a@müller.example' WHERE address = ?", (key,))
        db.execute("INSERT INTO participant VALUES (?, 'a@xn--mller-kva.example')", (number,))
        db.execute("UPDATE recipient SET spec = 'A@Müller.example.'")
        db.commit()
    database = await Database.open(f"sqlite:{path}")
    try:
        async with database.reading() as tx:
            assert "a@xn--mller-kva.example" in await tx.conversations.participants(Number(number))
            rows = await tx.conn.fetch("SELECT DISTINCT key FROM recipient")
            assert [row["key"] for row in rows] == ["a@xn--mller-kva.example"]
    finally:
        await database.close()


async def test_what_is_older_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "postroom.db"
    in_sqlite(path, 5)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE postroom_version SET version = 3")
        db.commit()
    with pytest.raises(Permanent, match="never released and cannot be upgraded"):
        await Database.open(f"sqlite:{path}")


async def test_a_backup_can_be_made_before_the_upgrade(tmp_path: Path) -> None:
    in_sqlite(tmp_path / "postroom.db", 6)
    settings = Settings.model_construct(**{"database": f"sqlite:{tmp_path}/postroom.db"})
    await backup.backup(settings, tmp_path / "backup.db")
    database = await Database.open(f"sqlite:{tmp_path}/backup.db")
    async with database.reading() as tx:
        assert await tx.settings.value("backup-at")
        assert await tx.conn.fetchval("SELECT COUNT(*) FROM job WHERE key LIKE '%original%'") == 0
    await database.close()
