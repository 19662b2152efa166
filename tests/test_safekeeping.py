"""Backup, restore, moving to another database, new keys: nothing lost, nothing sent twice."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.config.load import load
from bridge.config.settings import KEY_FILE, Settings
from bridge.model import InboxId, Permanent
from bridge.operate import backup
from bridge.store.copying import DERIVED, TABLES
from bridge.store.database import Database
from tests.servers.database import rows
from tests.servers.postgres import PostgresServer
from tests.servers.smtp import Fault
from tests.stage import ALICE, BOB, SUPPORT, Stage, mail, until
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_inbox import empty, set_up


def settings_of(stage: Stage, database: str = "") -> Settings:
    settings = load(stage.folder / "config.yaml")
    return settings.model_copy(update={"database": database or settings.database})


async def everything(url: str, folder: Path) -> dict[str, list[str]]:
    """Every row of every table, as text, jobs and time stamps included."""
    found = {}
    for table in TABLES:
        named = await rows(url, folder, f"SELECT * FROM {table}")
        found[table] = sorted(
            str(
                {
                    k: int(v) if isinstance(v, bool) else v
                    for k, v in row.items()
                    if k not in DERIVED
                }
            )
            for row in named
        )
    return found


async def test_the_copy_knows_every_table_of_the_schema(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:{tmp_path}/x.db")
    async with database.reading() as tx:
        named = await tx.conn.fetch(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
    await database.close()
    # the index of words is made anew from what it indexes
    tables = {row["name"] for row in named if not row["name"].startswith("passage_words")}
    assert tables - {"postroom_version"} == set(TABLES)


async def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    """A database's path goes through addresses, in which # ? and % mean something."""
    folder = tmp_path / "a b#c?d%20é"
    file = folder / "postroom.db"
    database = await Database.open(f"sqlite:{file}")
    async with database.transaction("settings") as tx:
        await tx.settings.set_value("a", "b")
    settings = Settings.model_construct(**{"database": f"sqlite:{file}"})
    await backup.backup(settings, folder / "backup.db")
    await database.close()
    assert {path.name for path in folder.iterdir()} == {
        "postroom.db", "postroom.db.lock", "backup.db",
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    with contextlib.closing(sqlite3.connect(folder / "backup.db")) as db:
        assert db.execute("SELECT value FROM setting WHERE name = 'a'").fetchone() == ("b",)


async def test_a_database_moves_from_sqlite_to_postgresql_and_back(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    stage = Stage(tmp_path, f"sqlite:{tmp_path}/postroom.db")
    await stage.start()
    try:
        room = await begun(stage)
        stage.hs.say(ALICE, room.id, "!reply Hello")
        await stage.sees(room, "✅ sent")
        await stage.quiet()
        await stage.close()
        before = await everything(stage.database, tmp_path)
        moved = postgres.create()
        await backup.copy_database(settings_of(stage), moved)
        assert await everything(moved, tmp_path) == before
        with pytest.raises(Permanent, match="not empty"):
            await backup.copy_database(settings_of(stage), moved)
        stage.database = moved
        await stage.open()
        await stage.mail(mail("And one more.", message_id="<m2@customer.example>",
                              In_Reply_To="<m1@customer.example>"))  # fmt: skip
        await stage.sees(room, "And one more.")
        await stage.mail(mail(subject="Another", message_id="<m3@customer.example>"))
        await stage.conversation(2)
        stage.hs.say(ALICE, room.id, "!reply Hello again")
        assert len(await stage.sent(2)) == 2
        with pytest.raises(Permanent, match="in use by a running bridge"):
            await backup.copy_database(settings_of(stage, moved), f"sqlite:{tmp_path}/y.db")
        await stage.quiet()
        await stage.close()
        after = await everything(moved, tmp_path)
        await backup.copy_database(settings_of(stage, moved), f"sqlite:{tmp_path}/back.db")
        assert await everything(f"sqlite:{tmp_path}/back.db", tmp_path) == after
    finally:
        await stage.stop()


async def test_a_restored_backup_sends_no_mail_again_and_asks_about_what_it_does_not_know(
    stage: Stage, new_database: Callable[[Path], str]
) -> None:
    """G9: the backup is older than a mail that left, one on its way, and a command."""
    room = await begun(stage, sent_copy="never")
    stage.smtp.script = [Fault("mail", "451 come again")]
    stage.hs.say(ALICE, room.id, "!reply deferred at the backup")
    deferred = await stage.sees(room, "⏳ deferred")
    await stage.quiet_but("deliver")
    said = await backup.backup(settings_of(stage), stage.folder / "backup.db")
    assert "postroom.key" in said
    stage.hs.react(ALICE, room.id, deferred["event_id"], "🔁")
    await stage.sent(1)
    stage.hs.say(ALICE, room.id, "!reply after the backup")
    await stage.sent(2)
    control = await control_room(stage)
    await ask(stage, control, f"!agent remove {BOB}", f"Bob ({BOB}) will be out of Support")
    await ask(stage, control, "!inbox add later@acme.example", "Draft later begun")
    await ask(stage, control, "stop", "Stopped.")
    await stage.mail(mail(subject="Since then", message_id="<m9@customer.example>"))
    lost = await stage.conversation(2)
    await stage.quiet()
    await stage.close()
    folder = stage.folder / "again"
    folder.mkdir()
    stage.database = new_database(folder)
    await backup.restore(settings_of(stage, stage.database), stage.folder / "backup.db")
    with pytest.raises(Permanent, match="not empty"):
        await backup.restore(settings_of(stage, stage.database), stage.folder / "backup.db")
    await stage.open(sent_copy="never")
    await stage.sees(control, "The bridge runs on a restored backup of")
    await stage.sees(control, "Not done: this was said before a backup was restored.")
    await ask(stage, control, "!inbox list", "support · Support")
    assert not await rows(stage.database, folder, "SELECT id FROM inbox")
    await stage.sees(control, "1 mail that may have left since then is asked about")
    await stage.sees(room, "❓ the server did not confirm")
    await stage.sees(room, "before a backup was restored, and may have been sent already. Send it?")
    again = await stage.conversation(1001)
    assert again.id != lost.id
    await stage.sees(again, "my display stays dark")
    await stage.quiet()
    assert len(stage.smtp.accepted()) == 2
    stage.hs.join(ALICE, again.id)
    stage.hs.say(ALICE, again.id, "!reply a new mail after it")
    (sent,) = (await stage.sent(3))[2:]
    ids = [str(each["Message-ID"]) for each in await stage.sent(3)]
    assert len(set(ids)) == 3
    assert sent["To"]


async def test_a_backup_is_made_while_mail_comes_in_and_is_never_overwritten(stage: Stage) -> None:
    await begun(stage)
    path = stage.folder / "backup.db"
    await backup.backup(settings_of(stage), path)
    assert path.stat().st_mode & 0o77 == 0
    assert [each.name for each in stage.folder.glob("backup.db*")] == ["backup.db"]
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT COUNT(*) FROM mail").fetchone() == (1,)
    with pytest.raises(Permanent, match="a backup never overwrites one"):
        await backup.backup(settings_of(stage), path)
    (stage.folder / "no.db").write_text("no database at all, but long enough to be looked at " * 9)
    with pytest.raises(Permanent, match="is no backup of Postroom"):
        await backup.restore(settings_of(stage), stage.folder / "no.db")
    with pytest.raises(Permanent, match="no such file"):
        await backup.restore(settings_of(stage), stage.folder / "nowhere.db")


async def test_a_new_key_opens_everything_and_the_old_one_nothing(stage: Stage) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    await stage.quiet()
    if stage.database.startswith("sqlite"):
        with pytest.raises(Permanent, match="in use"):
            await backup.rekey(settings_of(stage), stage.folder / "config.yaml")
    await stage.close()
    key = stage.folder / KEY_FILE
    settings = settings_of(stage)
    old = key.read_text().split()[-1]
    said = await backup.rekey(settings, stage.folder / "config.yaml")
    assert "secrets sealed with a new key" in said
    assert old not in key.read_text()
    assert key.stat().st_mode & 0o77 == 0
    config = stage.config()
    config["inboxes"] = {}
    await stage.open(config)
    await until(lambda: stage.app.desk.settings.inboxes, "the inbox")
    assert not stage.app.desk.directory.problems
    await stage.close()
    key.write_text(f"{old}\n")
    await stage.open(config)
    problems = stage.app.desk.directory.problems
    assert "does not open what was sealed" in problems[InboxId("support")]
    await ask(stage, control, "!inbox list", f"<{SUPPORT}> · cannot be used: encryption_key does")
