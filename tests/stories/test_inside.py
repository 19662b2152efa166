"""What people inside may not do, and what a stolen file opens: T51–T53, T58, T31."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.config.load import load
from bridge.config.vault import Keys, new_key
from bridge.mail.token import Links, Tokens
from bridge.operate.backup import rekey
from tests.stage import ADMIN, ALICE, BOB, CUSTOMER, EVE, SUPPORT, Stage, mail, until
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_inbox import empty
from tests.stories.test_secrets import CANARY, gone, nowhere

RULE = {"name": "thanks", "when": {"subject": "thanks"}, "then": {"snippet": "Thanks"}}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("thanks", "A rule of Support answers with the snippet thanks; an admin writes it"),
        ("refund", "There is a snippet refund already; an admin can edit it"),
        ("REFUND", "There is a snippet refund already"),
    ],
)
async def test_T51_an_agent_cannot_take_the_name_of_a_shared_snippet_or_of_a_rules(
    stage: Stage, name: str, why: str
) -> None:
    room = await begun(stage, rules=[RULE])
    control = await control_room(stage)
    await ask(stage, control, "!snippet add refund\nOur terms.", "Snippet refund")
    said = stage.hs.say(ALICE, room.id, "Whatever I like")
    stage.hs.reply(ALICE, room.id, said, f"!snippet add {name}")
    await stage.sees(room, why)
    async with stage.app.database.reading() as tx:
        assert await tx.snippets.all("support") == {"refund": "Our terms."}


async def test_T53_who_is_no_admin_any_more_is_out_of_the_control_room(stage: Stage) -> None:
    config = {**stage.config(), "admins": [ADMIN, BOB, EVE]}
    await stage.open(config)
    control = await control_room(stage)
    await stage.enter("Postroom control", BOB)  # eve is invited and has not come
    await until(lambda: control.membership(EVE) == "invite", "the invitation")
    await stage.quiet()
    await stage.close()
    await stage.open({**config, "admins": [ADMIN]})
    await until(lambda: control.membership(BOB) == "leave", "bob to be out")
    await until(lambda: control.membership(EVE) == "leave", "eve's invitation to end")
    assert control.membership(ADMIN) == "join"
    assert control.membership(stage.app.desk.bot) == "join"
    for _ in range(2):  # whoever is named again is asked in again, also after a second time
        await stage.close()
        await stage.open(config)
        await until(lambda: control.membership(BOB) == "invite", "bob to be asked in again")
        await stage.close()
        await stage.open({**config, "admins": [ADMIN]})
        await until(lambda: control.membership(BOB) == "leave", "bob to be out again")


@pytest.mark.parametrize("word", [CANARY, "pw", "passw0rd", "support", "imap", "hunter2!"])
async def test_T58_what_is_refused_is_never_quoted_while_questions_are_asked(
    stage: Stage, word: str
) -> None:
    """At every question of the walk-through, whatever the word looks like."""
    control = await empty(stage)
    questions = ("!inbox add", SUPPORT, "127.0.0.1", "the real password", "local")
    for said in questions:
        await ask(stage, control, said)
        before = len(stage.hs.bodies(control))
        for wrong in (f"{word} {word} ?", f"!inbox set nowhere {word} x", f"!retry {word}",
                      f"!agent add {word}"):  # fmt: skip
            if said == "127.0.0.1" and not wrong.startswith("!"):
                continue  # the password is being asked for: anything is one
            answer = await ask(stage, control, wrong)
            usual = ("support", "imap", "pw")  # which the questions themselves may say
            assert word in usual or word not in answer, (said, wrong, answer)
            if word in usual:
                assert f"{word} {word}" not in answer
                assert not answer.startswith(word), answer
        assert len(stage.hs.bodies(control)) > before


async def test_T58_a_password_said_a_second_time_is_redacted_and_not_repeated(
    stage: Stage,
) -> None:
    control = await empty(stage)
    for said in (f"!inbox add {SUPPORT}", "127.0.0.1", CANARY, "local"):
        await ask(stage, control, said)
    answer = await ask(stage, control, CANARY, "is not a Matrix ID")
    assert CANARY not in answer
    await gone(stage, control)
    await stage.quiet()
    await nowhere(stage)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
async def test_T52_database_log_and_lock_are_for_their_owner_whatever_the_umask(
    stage: Stage,
) -> None:
    before = os.umask(0)
    try:
        await begun(stage)
        for name in ("postroom.db", "postroom.db-wal", "postroom.db-shm", "postroom.db.lock"):
            assert mode(stage.folder / name) == 0o600, name
        await stage.close()
        (stage.folder / "postroom.db").chmod(0o644)  # as an older version made it
        await stage.open()
        assert mode(stage.folder / "postroom.db") == 0o600
    finally:
        os.umask(before)


def written(folder: Path) -> bytes:
    """Everything that stands in the database's files."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("postroom.db*")))


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
async def test_T52_what_was_erased_leaves_the_log_as_soon_as_nobody_reads_it(stage: Stage) -> None:
    raw = mail(f"{CANARY} in the text", sender=f"{CANARY} <carla@customer.example>")
    await begun(stage, raw)
    control = await control_room(stage)
    assert CANARY.encode() in written(stage.folder)
    with contextlib.closing(sqlite3.connect(stage.folder / "postroom.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM mail").fetchone()  # somebody reads
        await ask(stage, control, f"!erase {CUSTOMER}", "!yes")
        await ask(stage, control, "!yes")
        await until(lambda: _left(stage) == {"scrub"}, "all but the log to be done", 60)
        reader.rollback()
    await stage.quiet(60)
    assert CANARY.encode() not in written(stage.folder)


def _left(stage: Stage) -> set[str]:
    with contextlib.closing(sqlite3.connect(stage.folder / "postroom.db")) as db:
        return {row[0] for row in db.execute("SELECT kind FROM job")}


def test_T52_the_database_alone_signs_nothing() -> None:
    first, second, installation = new_key(), new_key(), "what the database keeps"
    keys, others = Keys.of([first], installation), Keys.of([second], installation)
    both = Keys.of([first, second], installation)  # the newest counts
    assert both == replace(keys, former=both.former)
    assert both.former == (others.ids, installation)
    assert len({keys.for_aliases, keys.ids, keys.pages, keys.drafts}) == 4
    assert keys.for_aliases == others.for_aliases == installation
    assert not {keys.ids, keys.pages, keys.drafts} & {others.ids, others.pages, others.drafts}
    for forged in (installation, others.pages, keys.ids, keys.drafts):
        assert Links(keys.pages).read(Links(forged).sign(1)) is None
    assert Links(keys.drafts, "draft").read(Links(keys.drafts, "mail").sign(1)) is None
    address = Tokens(installation).reply_address(1, SUPPORT)
    assert Tokens(keys.ids).read_address(address) is None


async def test_T52_a_rotation_ends_links_and_old_tokens_count_from_participants_only(
    stage: Stage,
) -> None:
    """Rooms keep their names, answers to mails of before find their conversation, bounces too."""
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    desk = stage.app.desk
    link = desk.original_links.sign(1)
    token = desk.tokens.reply_address(1, SUPPORT)
    alias = desk.alias("conversation", 1)
    rooms = len(stage.hs.rooms)
    await stage.close()
    path = stage.folder / "config.yaml"
    for _ in range(2):
        await rekey(load(path), path)
    await stage.open()
    desk = stage.app.desk
    assert desk.original_links.read(link) is None
    assert desk.tokens.read_address(token) is None
    assert desk.alias("conversation", 1) == alias
    await stage.mail(mail("By token", message_id="<t1@customer.example>", to=token))
    await stage.sees(room, "By token")
    await stage.mail(mail("By id", message_id="<t2@customer.example>",
                          In_Reply_To=str(sent["Message-ID"])))  # fmt: skip
    await stage.sees(room, "By id")
    for number, how in enumerate(({"to": token}, {"In_Reply_To": str(sent["Message-ID"])})):
        await stage.mail(mail(f"Stranger {number}", sender="eve@evil.example",
                              message_id=f"<e{number}@evil.example>", **how))  # fmt: skip
        await stage.sees(await stage.conversation(2 + number), f"Stranger {number}")
    forged = f"support+1-{'a' * 26}@{SUPPORT.partition('@')[2]}"  # signed with no key of ours
    await stage.mail(mail("By no token", message_id="<t3@customer.example>", to=forged))
    await stage.sees(await stage.conversation(4), "By no token")
    assert "Stranger" not in " ".join(stage.hs.bodies(room))
    assert len(stage.hs.rooms) == rooms + 3
