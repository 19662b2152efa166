"""Which conversation a mail belongs to."""

from __future__ import annotations

import time

from tests.stage import (
    ALICE,
    Stage,
    mail,
    until,
)
from tests.stories.desk import begun

REPLY = {"In_Reply_To": "<m1@customer.example>"}


async def rooms(stage: Stage) -> list[str]:
    return sorted(
        event["content"]["name"]
        for room in stage.hs.rooms.values()
        if (event := room.state.get(("m.room.name", "")))
        and event["content"]["name"].startswith("#")
    )


async def test_a_strangers_answer_gets_a_room_that_claims_to_belong(stage: Stage) -> None:
    """T1: knowing a Message-ID joins nobody to a thread."""
    await begun(stage)
    await stage.mail(mail("I am Carla, really", sender="mallory@elsewhere.example",
                          message_id="<x@elsewhere.example>", **REPLY))  # fmt: skip
    queue = await stage.queue()
    whose = "which is with Carla Customer <carla@customer.example>"  # whom 🔗 would merge it with
    await stage.sees(queue, f"claims to belong to #1, {whose} · 🔗 merges it with that")
    room = await stage.conversation(2)
    await stage.sees(room, "I am Carla, really")
    assert "really" not in " ".join(stage.hs.bodies(await stage.conversation(1)))


async def test_being_in_cc_is_not_taking_part(stage: Stage) -> None:
    await begun(stage, mail(Cc="dora@partner.example"))
    await stage.mail(mail("From the Cc", sender="dora@partner.example",
                          message_id="<d@partner.example>", **REPLY))  # fmt: skip
    await stage.sees(await stage.conversation(2), "From the Cc")


async def test_a_colleague_of_the_same_company_joins_but_not_of_a_free_mail_domain(
    stage: Stage,
) -> None:
    room = await begun(stage)
    await stage.mail(mail("Same company", sender="dora@customer.example",
                          message_id="<d@customer.example>", **REPLY))  # fmt: skip
    await stage.sees(room, "Same company")
    await stage.mail(mail("Hi", sender="a@gmail.com", message_id="<g1@gmail.com>", subject="Mine"))
    await stage.conversation(2)
    await stage.mail(mail("Other person", sender="b@gmail.com", message_id="<g2@gmail.com>",
                          In_Reply_To="<g1@gmail.com>"))  # fmt: skip
    await stage.sees(await stage.conversation(3), "Other person")


async def test_the_same_subject_is_claimed_never_merged(stage: Stage) -> None:
    await begun(stage)
    await stage.mail(mail("Again", subject="RE: Dark display", message_id="<n@customer.example>"))
    await stage.sees(await stage.queue(), "claims to belong to #1")
    assert await rooms(stage) == ["#1 Dark display", "#2 Dark display"]


async def test_a_parent_that_comes_late_joins_its_answer(stage: Stage) -> None:
    late = mail("The first mail", message_id="<m1@customer.example>")
    await stage.open()
    await stage.queue(ALICE)
    await stage.mail(mail("The second mail", message_id="<m2@customer.example>", **REPLY))
    room = await stage.conversation()
    await stage.mail(late)
    await stage.sees(room, "The first mail")


async def test_T26_the_same_mail_twice_is_one_and_another_body_is_not(stage: Stage) -> None:
    raw = mail()
    room = await begun(stage, raw)
    await stage.mail(b"Received: by another path; Mon, 1 Jan 2024 00:00:00 +0000\r\n" + raw)
    other = raw.replace(b"Hello, my display stays dark.", b"A different text under the same id")
    await stage.mail(other)
    await until(
        lambda: any("different text" in b for r in stage.hs.rooms.values() for b in
                    stage.hs.bodies(r)), "the other mail")  # fmt: skip
    await stage.quiet()
    assert sum("stays dark" in body for body in stage.hs.bodies(room)) == 1


async def test_a_mail_without_message_id_is_shown_once(stage: Stage) -> None:
    raw = mail(message_id="")
    room = await begun(stage, raw)
    await stage.mail(raw)
    await stage.quiet()
    assert sum("stays dark" in body for body in stage.hs.bodies(room)) == 1


async def test_machine_mail_does_not_reopen(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!close")
    await stage.sees(room, "Closed.")
    await stage.mail(mail("I am away", message_id="<ooo@customer.example>",
                          Auto_Submitted="auto-replied", **REPLY))  # fmt: skip
    await stage.sees(room, "I am away")
    await stage.quiet()
    queue = await stage.queue()
    assert any("☑️ closed" in body for body in stage.hs.bodies(queue))
    await stage.mail(mail("I am back", message_id="<back@customer.example>", **REPLY))
    await until(lambda: any("taken by" in b or "not taken" in b or "press ✋" in b
                            for b in stage.hs.bodies(queue)), "the card to be open")  # fmt: skip


async def test_a_conversation_closed_long_ago_is_followed_by_a_new_one(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!close")
    await stage.sees(room, "Closed.")
    async with stage.app.database.transaction("receive") as tx:
        await tx.conversations.update(1, closed_at=time.time() - 31 * 86400)
    await stage.mail(mail("Half a year later", message_id="<late@customer.example>", **REPLY))
    await stage.sees(await stage.queue(), "follows #1, which was closed")
    await stage.sees(await stage.conversation(2), "Half a year later")
