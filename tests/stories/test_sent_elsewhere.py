"""Mail that somebody sent as the inbox from another mail program, found in the Sent folder."""

from __future__ import annotations

import pytest

from bridge.model import InboxId
from tests.servers.scripted_imap import ScriptedImap
from tests.stage import ALICE, CUSTOMER, SUPPORT, Stage, mail
from tests.stories.desk import begun

CARLA = f"Carla Customer <{CUSTOMER}>"


def sent(
    text: str, *, to: str = CARLA, message_id: str = "<hand1@acme.example>", **more: str
) -> bytes:
    """What a mail program writes into the Sent folder."""
    return mail(text, sender=f"Support <{SUPPORT}>", to=to, subject="Re: Dark display",
                message_id=message_id, **more)  # fmt: skip


async def put_into_sent(stage: Stage, raw: bytes) -> None:
    inbox = stage.app.desk.settings.inboxes[InboxId("support")]
    await stage.app.desk.mailbox.append_sent(inbox, raw)


async def with_sent_folder(stage: Stage, **inbox: object) -> None:
    """A mailbox that has a Sent folder with an old mail, which is not shown."""
    await stage.open(sent_elsewhere="ignore")
    await put_into_sent(stage, sent("From long ago.", message_id="<old@acme.example>"))
    await stage.close()
    support = {"imap": {**stage.config()["inboxes"]["support"]["imap"], "poll": 1}, **inbox}
    await stage.open(**support)
    await stage.queue(ALICE)


async def test_an_answer_from_elsewhere_is_in_its_conversation_once(stage: Stage) -> None:
    await with_sent_folder(stage)
    await stage.mail(mail())
    room = await stage.conversation()
    await stage.sees(room, "my display stays dark")
    raw = sent("Press the button.", In_Reply_To="<m1@customer.example>")
    await put_into_sent(stage, raw)
    shown = await stage.sees(room, "Press the button.")
    assert shown["content"]["body"].startswith(f"↗ sent from another mail program to {CARLA}")
    assert shown["content"]["msgtype"] == "m.notice"
    await stage.sees(await stage.room("Support queue"), "✅ answered")
    await stage.mail(raw)  # a copy to the inbox, too
    await stage.mail(mail("It works now.", message_id="<m2@customer.example>",
                          In_Reply_To="<hand1@acme.example>"))  # fmt: skip
    await stage.sees(room, "It works now.")
    await stage.quiet()
    bodies = stage.hs.bodies(room)
    assert sum("Press the button." in body for body in bodies) == 1
    assert not any("From long ago." in body for body in bodies)


async def test_what_we_send_is_shown_once(stage: Stage) -> None:
    await with_sent_folder(stage, sent_copy="always")
    await stage.mail(mail())
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    (message,) = await stage.sent()
    changed = message.as_bytes().replace(b"Message-ID: <", b"Message-ID: <changed.", 1)
    await put_into_sent(stage, changed.replace(b"Hello", b"Hello "))  # as Exchange does
    await stage.mail(mail("Thanks", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "Thanks")
    await stage.quiet()
    assert not any("another mail program" in body for body in stage.hs.bodies(room))


async def test_a_mail_begun_elsewhere_waits_for_nobody_and_its_answer_joins(stage: Stage) -> None:
    await with_sent_folder(stage)
    await put_into_sent(stage, sent("Do you need more paper?", to="dan@new.example"))
    queue = await stage.room("Support queue")
    card = await stage.sees(queue, "#1 dan@new.example")
    assert "✅ answered" in card["content"]["body"]
    assert card["content"]["msgtype"] == "m.notice"
    room = await stage.conversation()
    await stage.mail(mail("Yes, please.", sender="dan@new.example", message_id="<d@new.example>",
                          In_Reply_To="<hand1@acme.example>"))  # fmt: skip
    await stage.sees(room, "Yes, please.")


@pytest.mark.parametrize("raw", [
    sent("To the team.", to="sales@acme.example"),
    sent("As somebody else.").replace(SUPPORT.encode(), b"private@elsewhere.example"),
    sent("A receipt.", Auto_Submitted="auto-replied"),
], ids=["to the team", "as somebody else", "by a program"])  # fmt: skip
async def test_what_is_nobodys_business_is_not_shown(stage: Stage, raw: bytes) -> None:
    await with_sent_folder(stage)
    await put_into_sent(stage, raw)
    await put_into_sent(stage, sent("For comparison.", message_id="<2@acme.example>"))
    await stage.sees(await stage.conversation(), "For comparison.")
    await stage.quiet()
    assert len([each for each in stage.hs.rooms.values() if "#2" in str(each.events)]) == 0


async def test_it_can_be_switched_off(stage: Stage) -> None:
    await with_sent_folder(stage, sent_elsewhere="ignore")
    await put_into_sent(stage, sent("Press the button."))
    await stage.mail(mail())
    await stage.sees(await stage.conversation(), "my display stays dark")
    await stage.quiet()
    assert not any("Press the button" in str(each.events) for each in stage.hs.rooms.values())


async def test_nothing_but_the_inbox_itself_is_needed(stage: Stage) -> None:
    """A mailbox without a Sent folder is read as ever."""
    room = await begun(stage)
    await stage.sees(room, "my display stays dark")


async def test_the_first_mail_of_a_new_sent_folder_is_not_missed(stage: Stage) -> None:
    support = {"imap": {**stage.config()["inboxes"]["support"]["imap"], "poll": 1}}
    await stage.open(**support)
    await stage.queue(ALICE)
    await stage.mail(mail())
    room = await stage.conversation()
    await stage.sees(room, "my display stays dark")
    await put_into_sent(stage, sent("Press the button.", In_Reply_To="<m1@customer.example>"))
    await stage.sees(room, "Press the button.")


async def test_what_was_answered_while_we_were_away_waits_for_nobody(stage: Stage) -> None:
    await with_sent_folder(stage)
    await stage.close()
    await stage.mail(mail())
    await put_into_sent(stage, sent("Press the button.", In_Reply_To="<m1@customer.example>"))
    support = {"imap": {**stage.config()["inboxes"]["support"]["imap"], "poll": 1}}
    await stage.open(**support)
    room = await stage.conversation()
    await stage.sees(room, "Press the button.")
    await stage.sees(room, "my display stays dark")
    await stage.sees(await stage.room("Support queue"), "✅ answered")


async def test_a_customer_whose_mail_is_forwarded_elsewhere_still_waits(stage: Stage) -> None:
    await with_sent_folder(stage)
    await stage.mail(mail())
    room = await stage.conversation()
    await stage.sees(room, "my display stays dark")
    raw = sent("Can you look at it?", to="dan@supplier.example",
               In_Reply_To="<m1@customer.example>")  # fmt: skip
    await put_into_sent(stage, raw)
    await stage.sees(room, "Can you look at it?")
    await stage.quiet()
    queue = await stage.room("Support queue")
    assert not any("✅ answered" in body for body in stage.hs.bodies(queue))


@pytest.mark.parametrize("said", [
    b"TAG NO Server error, please try again later\r\n", b"", b"* nonsense\r\nTAG NO corrupt\r\n",
], ids=["asks for patience", "hangs up", "refuses"])  # fmt: skip
async def test_a_sent_folder_that_cannot_be_read_keeps_nothing_else_back(
    stage: Stage, said: bytes
) -> None:
    folder = ""

    def answer(verb: str, args: str) -> bytes | None:
        nonlocal folder
        if verb == "SELECT":
            folder = args.strip('"')
        if verb == "LIST":
            return b'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Sent\r\nTAG OK done\r\n'
        return said if verb == "UID FETCH" and folder == "Sent" else None

    server = ScriptedImap(mail(), answer=answer)
    await server.start()
    imap = {**stage.config()["inboxes"]["support"]["imap"], "port": server.port, "poll": 1}
    await stage.open(imap={**imap, "since": "2020-01-01"})
    await stage.queue(ALICE)
    room = await stage.conversation()
    await stage.sees(room, "my display stays dark")
    server.mails[2] = mail("And another.", message_id="<2@customer.example>", subject="Bill")
    await stage.sees(await stage.conversation(2), "And another.")
    assert sum(each.startswith("LOGIN") for each in server.commands) <= 2
    await stage.close()
    await server.stop()
    await stage.open()  # the fixture closes it
