"""The same mail by two paths into one inbox: a list beside a direct copy, a gateway's banner."""

from __future__ import annotations

import pytest

from tests.stage import Stage, mail, until
from tests.stories.desk import begun

TEXT = "My display stays dark.\n\nOrder 4711."


async def conversations(stage: Stage) -> int:
    async with stage.app.database.reading() as tx:
        return int(await tx.conn.fetchval("SELECT COUNT(*) FROM conversation"))


@pytest.mark.parametrize(("text", "more"), [
    (TEXT, {"subject": "[Support] Dark display", "List_Id": "<l.example>"}),
    (TEXT.replace("\n\n", " \n\n\n"), {"to": "list@acme.example"}),
    (f"{TEXT}\n\n____\nThe list of Acme", {}),  # a footer is folded
])  # fmt: skip
async def test_a_copy_with_the_same_words_is_not_shown_again(
    stage: Stage, text: str, more: dict[str, str]
) -> None:
    room = await begun(stage, mail(TEXT))
    await stage.mail(mail(text, **more))
    end = mail("The end", message_id="<end@x.example>", In_Reply_To="<m1@customer.example>")
    await stage.mail(end)
    await stage.sees(room, "The end")
    await stage.quiet()
    assert sum("Order 4711" in body for body in stage.hs.bodies(room)) == 1
    assert await conversations(stage) == 1


async def test_a_copy_with_other_words_is_shown_in_the_same_room(stage: Stage) -> None:
    room = await begun(stage, mail(TEXT))
    await stage.mail(mail(f"CAUTION: this mail came from outside.\n\n{TEXT}"))
    await until(lambda: sum("Order 4711" in body for body in stage.hs.bodies(room)) == 2, "both")
    await stage.quiet()
    assert await conversations(stage) == 1


async def test_T01_a_stranger_who_uses_the_id_of_a_mail_only_claims(stage: Stage) -> None:
    await begun(stage, mail(TEXT))
    await stage.mail(mail(TEXT, sender="Mallory <mallory@evil.example>"))
    queue = await stage.queue()
    await stage.sees(queue, "claims to belong to #1")
    assert await conversations(stage) == 2


async def test_files_of_a_copy_are_never_lost(stage: Stage) -> None:
    room = await begun(stage, mail(TEXT))
    await stage.mail(mail(TEXT, files=(("bill.pdf", "application/pdf", b"PDF"),)))
    await until(lambda: "bill.pdf" in stage.hs.bodies(room), "the file")
    assert await conversations(stage) == 1
