"""What our own mail server calls spam: ignored, told, marked, and a condition of rules."""

from __future__ import annotations

import pytest

from tests.stage import ADMIN, ALICE, CUSTOMER, SUPPORT, Stage, mail
from tests.stories.desk import begun, control_room, junk_folder

TOLD = "🚮 your mail server calls this spam"


def spam(text: str = "Buy now.", **more: str) -> bytes:
    headers = {"X_Spam_Flag": "YES", **more}
    return mail(text, sender="shop@spam.example", message_id="<s@spam.example>", subject="Offer",
                **headers)  # fmt: skip


async def came(stage: Stage, raw: bytes, **inbox: object) -> None:
    await stage.open(**inbox)
    await stage.queue(ALICE)
    await stage.mail(raw)


async def test_it_is_told_above_the_mail_and_on_its_card(stage: Stage) -> None:
    await came(stage, spam(), spam="tell")
    await stage.sees(await stage.room("Support queue"), f"{TOLD}\nBuy now.")
    await stage.sees(await stage.conversation(), f"{TOLD} (X-Spam-Flag: YES)")


async def test_nothing_is_said_where_nobody_asked(stage: Stage) -> None:
    await came(stage, spam())
    room = await stage.conversation()
    await stage.sees(room, "Buy now.")
    assert not [body for body in stage.hs.bodies(room) if "🚮" in body]


async def test_it_begins_as_spam_and_notifies_nobody(stage: Stage) -> None:
    await came(stage, spam(X_Spam_Flag="", X_Spam_Status="Yes, score=9.1"), spam="mark",
               spam_headers=["X-Spam-Flag: yes", "x-spam-status: yes,*"])  # fmt: skip
    await stage.conversation()
    await stage.quiet()
    cards = stage.hs.bodies(await stage.room("Support queue"))
    assert not [body for body in cards if "Offer" in body]
    stage.hs.say(ALICE, (await stage.room("Support queue")).id, "!list spam")
    await stage.sees(await stage.room("Support queue"), "Offer")


async def test_a_customer_in_a_conversation_is_only_told_of(stage: Stage) -> None:
    room = await begun(stage, spam="mark")
    await stage.mail(mail("And now?", message_id="<m2@customer.example>", X_Spam_Flag="YES",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    shown = await stage.sees(room, "And now?")
    assert shown["content"]["body"].startswith(TOLD)
    stage.hs.say(ALICE, room.id, "!to")
    await stage.sees(room, CUSTOMER)


@pytest.mark.parametrize(("flag", "tagged"), [("YES", True), ("NO", False)])
async def test_rules_know_of_it(stage: Stage, flag: str, tagged: bool) -> None:
    rule = {"name": "junk", "when": {"spam": True}, "then": {"tag": "junk"}}
    await came(stage, spam(X_Spam_Flag=flag), rules=[rule])
    room = await stage.conversation()
    await stage.sees(room, "Buy now.")
    await stage.quiet()
    cards = stage.hs.bodies(await stage.room("Support queue"))
    assert any("🏷 junk" in body for body in cards) is tagged


async def test_mail_in_a_watched_junk_folder_is_spam(stage: Stage) -> None:
    await junk_folder(stage)
    config = stage.config(spam="tell")
    config["inboxes"]["support"]["imap"]["folders"] = ["INBOX", "Junk"]
    await stage.open(config)
    await stage.queue(ALICE)
    await stage.imap.append(SUPPORT, spam(X_Spam_Flag=""), "Junk")
    await stage.mail(mail())  # wakes the watcher, which idles in INBOX
    room = await stage.conversation(1)
    other = await stage.conversation(2)
    bodies = [*stage.hs.bodies(room), *stage.hs.bodies(other)]
    await stage.quiet()
    bodies = [*stage.hs.bodies(room), *stage.hs.bodies(other)]
    assert [body.splitlines()[0] for body in bodies if "Buy now." in body] == [
        f"{TOLD} (the folder Junk)"
    ]
    assert not [body for body in bodies if "my display" in body and "🚮" in body]
    control = await control_room(stage)
    stage.hs.say(ADMIN, control.id, "!rule test support\nname: junk\nwhen: {spam: true}\n"
                 "then: {tag: junk}")  # fmt: skip
    tried = await stage.sees(control, "of the last 2 mails rules hold for 1")
    assert "Offer (shop@spam.example) → junk: tag junk" in tried["content"]["body"]
