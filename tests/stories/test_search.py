"""Finding what was said: in mails that came and went, in notes, in mails of before."""

from __future__ import annotations

from tests.stage import ADMIN, ALICE, CUSTOMER, Stage, mail, until
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_order import answered


async def test_mails_in_and_out_and_notes_are_found_with_links(stage: Stage) -> None:
    raw = mail(
        "The hinge of my Gerät is broken.", files=(("warranty.pdf", "application/pdf", b"x"),)
    )
    room = await begun(stage, raw)
    queue = await stage.queue()
    came = (await stage.sees(room, "The hinge"))["event_id"]
    reply = stage.hs.say(ALICE, room.id, "!reply Please send the serial number.")
    await stage.sent()
    await stage.sees(room, "✅ sent")
    note = stage.hs.say(ALICE, room.id, "!note Customer since 1999, be generous")
    await stage.sees(room, "📝 Noted")
    for words, event, shown in (
        ("HINGE", came, "Carla Customer"), ("gerat", came, "#1 Dark display"),
        ('"is broken"', came, "hinge of my Gerät"), ("warranty", came, "1 hit"),
        ("carla hinge", came, "1 hit"), ("serial", reply, "Alice"),
        ("genero", note, "be generous"),
    ):  # fmt: skip
        said = await answered(stage, queue, ALICE, f"!search {words}")
        assert shown in said, (words, said)
        html = next(
            e["content"]["formatted_body"] for e in stage.hs.messages(queue)
            if e["content"]["body"] == said
        )  # fmt: skip
        assert f"https://matrix.to/#/{room.id}/{event}?via=" in html, words
    for words in ("nowhere", '"broken is"', "hinge nowhere"):
        assert "Nothing in Support contains" in await answered(
            stage, queue, ALICE, f"!search {words}"
        )
    for words in ("", "!!"):
        assert "Say what to look for" in await answered(
            stage, queue, ALICE, f"!search {words}".strip()
        )
    assert "Say what to note" in await answered(stage, room, ALICE, "!note")


async def test_many_hits_are_counted_and_the_newest_shown(stage: Stage) -> None:
    await begun(stage)
    for number in range(2, 24):
        await stage.mail(mail(f"Refund {number}", message_id=f"<r{number}@customer.example>"))
    await stage.conversation(23)
    await stage.quiet()
    queue = await stage.queue()
    said = await answered(stage, queue, ALICE, "!search refund")
    assert said.startswith("22 hits for “refund”\n#23")
    assert said.endswith("and 2 older; more words find fewer")


async def test_what_was_erased_is_not_found_nor_kept(stage: Stage) -> None:
    await begun(stage, mail("Xylophone strings snapped"))
    control, queue = await control_room(stage), await stage.queue()
    assert "1 hit" in await answered(stage, queue, ALICE, "!search xylophone")
    await ask(stage, control, f"!erase {CUSTOMER}", "!yes erases")
    stage.hs.say(ADMIN, control.id, "!yes")
    await stage.sees(control, "Erased: 1 conversation")
    await stage.quiet()
    assert not any("snapped" in body for body in stage.hs.bodies(queue))
    assert "Nothing in Support" in await answered(stage, queue, ALICE, "!search xylophone")
    if stage.database.startswith("sqlite"):
        file = stage.folder / "postroom.db"
        await stage.close()
        assert b"snapped" not in file.read_bytes().lower()
        await stage.open()


async def test_mails_of_before_the_search_are_read_for_it(stage: Stage) -> None:
    await begun(stage, mail("Xylophone strings"))
    await stage.quiet()
    async with stage.app.database.transaction("settings") as tx:
        await tx.conn.execute("DELETE FROM passage")
        await tx.settings.drop_value("words-indexed")
    await stage.close()
    await stage.open()
    queue = await stage.queue()

    async def found() -> bool:
        return "1 hit" in await answered(stage, queue, ALICE, "!search xylophone")

    await until(found, "the words of an old mail")
