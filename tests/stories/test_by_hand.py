"""Mails that somebody sent as the inbox from another mail program, with a copy to the inbox."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from bridge.model import InboxId
from tests.stage import ALICE, AUTHSERV, CUSTOMER, SUPPORT, Stage, mail, until
from tests.stories.desk import begun

PASSES, FAILS = (f"{AUTHSERV}; dmarc={result} header.from=acme.example"
                 for result in ("pass", "fail"))  # fmt: skip
CARLA = f"Carla Customer <{CUSTOMER}>"


def sent(text: str, **more: str) -> bytes:
    """What a mail program makes of an answer, with a copy to the inbox."""
    headers = {"Cc": SUPPORT, "In_Reply_To": "<m1@customer.example>", **more}
    return mail(text, sender=f"Support <{SUPPORT}>", to=CARLA, subject="Re: Dark display",
                message_id="<hand1@acme.example>", **headers)  # fmt: skip


async def test_what_passed_the_check_is_our_answer(stage: Stage) -> None:
    room = await begun(stage, authserv_id=AUTHSERV)
    await stage.mail(sent("Press the button.", Authentication_Results=PASSES))
    shown = await stage.sees(room, "Press the button.")
    assert shown["content"]["body"].startswith(
        f"↗ sent from another mail program to {CARLA}, {SUPPORT}"
    )
    assert shown["content"]["msgtype"] == "m.notice"
    await stage.sees(await stage.room("Support queue"), "✅ answered")
    # the customer answers that mail, whose id we had not given
    await stage.mail(mail("It works now.", message_id="<m2@customer.example>",
                          In_Reply_To="<hand1@acme.example>"))  # fmt: skip
    await stage.sees(room, "It works now.")
    stage.hs.say(ALICE, room.id, "!reply Fine")
    await stage.sees(room, "✅ sent")
    assert stage.smtp.accepted()[-1]["to"] == [CUSTOMER]


async def test_what_the_sent_folder_has_is_ours_and_begins_no_waiting(stage: Stage) -> None:
    await stage.open()
    await stage.queue(ALICE)
    raw = sent("A word of ours.", In_Reply_To="")
    await stage.app.desk.mailbox.append_sent(
        stage.app.desk.settings.inboxes[InboxId("support")], raw
    )
    await stage.mail(raw)
    queue = await stage.room("Support queue")
    card = await stage.sees(queue, f"#1 {CARLA}")
    assert "✅ answered" in card["content"]["body"]
    assert card["content"]["msgtype"] == "m.notice"
    room = await stage.conversation()
    await stage.sees(room, "A word of ours.")
    await stage.mail(mail("Thank you.", message_id="<m2@customer.example>",
                          In_Reply_To="<hand1@acme.example>"))  # fmt: skip
    await stage.sees(room, "Thank you.")


@pytest.mark.parametrize("verdict", ["", FAILS], ids=["nothing proves it", "the check failed"])
async def test_what_nothing_proves_joins_nothing_and_waits_for_nobody(
    stage: Stage, verdict: str
) -> None:
    more = {"Authentication_Results": verdict} if verdict else {}
    room = await begun(stage, authserv_id=AUTHSERV if verdict else "")
    await stage.mail(sent("Pay to this account.", **more))
    other = await stage.conversation(2)
    await stage.sees(other, "nothing proves that one of you sent it")
    queue = await stage.room("Support queue")
    card = await stage.sees(queue, "claims to belong to #1, which is with Carla Customer")
    assert card["content"]["msgtype"] == "m.notice"
    await stage.quiet()
    assert not [body for body in stage.hs.bodies(room) if "Pay to" in body]
    (summary,) = [body for body in stage.hs.bodies(queue) if "wait for an answer" in body
                  or "waits for an answer" in body]  # fmt: skip
    assert "#2" not in summary
    stage.hs.say(ALICE, room.id, "!to")
    await stage.sees(room, CUSTOMER)


async def test_a_customer_who_wrote_since_still_waits(stage: Stage) -> None:
    room = await begun(stage, authserv_id=AUTHSERV)
    await stage.mail(mail("I pressed it.", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "I pressed it.")
    raw = sent("Press the button.", Authentication_Results=PASSES)
    now, earlier = raw.split(b"Date: ")[1].split(b"\r\n")[0], formatdate(time.time() - 3600)
    await stage.mail(raw.replace(now, earlier.encode(), 1))
    await stage.sees(room, "Press the button.")
    await stage.quiet()
    assert "✅ answered" not in "".join(stage.hs.bodies(await stage.room("Support queue")))


async def test_a_mail_to_the_team_alone_is_none_of_that(stage: Stage) -> None:
    await stage.open(authserv_id=AUTHSERV)
    await stage.queue(ALICE)
    raw = mail("Backup failed.", sender=f"Support <{SUPPORT}>", message_id="<b@acme.example>",
               Authentication_Results=PASSES)  # fmt: skip
    await stage.mail(raw)
    room = await stage.conversation()
    shown = await stage.sees(room, "Backup failed.")
    assert "↗" not in shown["content"]["body"]


@pytest.mark.parametrize("elsewhere", ["ignore", "show"])
async def test_T01_a_message_id_that_we_sent_once_proves_nothing(
    stage: Stage, elsewhere: str
) -> None:
    """Whoever gets a mail of ours knows its id."""
    room = await begun(stage, sent_elsewhere=elsewhere)
    support = stage.app.desk.settings.inboxes[InboxId("support")]
    await stage.app.desk.mailbox.append_sent(support, sent("What we wrote.", In_Reply_To=""))
    await stage.mail(sent("What Mallory wrote."))

    def shown() -> list[str]:
        """The messages with what Mallory wrote, but for those of the queue."""
        return [
            body
            for each in stage.hs.rooms.values()
            for body in stage.hs.bodies(each)
            if "Mallory" in body and not body.startswith("#")
        ]

    await until(shown, "what Mallory wrote")
    await stage.quiet()
    assert all("nothing proves that one of you sent it" in body for body in shown())
    assert not [body for body in stage.hs.bodies(room) if "Mallory" in body]


async def test_an_id_that_no_search_can_hold_proves_nothing(stage: Stage) -> None:
    await begun(stage)
    raw = sent("Odd.").replace(b"<hand1@acme.example>", "<h\u00e4nd@acme.example>".encode())
    await stage.mail(raw)
    await stage.sees(await stage.conversation(2), "nothing proves that one of you sent it")


async def test_a_form_with_a_copy_to_its_visitor_waits(stage: Stage) -> None:
    await stage.open()
    await stage.queue(ALICE)
    await stage.mail(mail("I want to buy it.", sender=f"Website <{SUPPORT}>", to=SUPPORT,
                          Cc=CUSTOMER, message_id="<f@acme.example>"))  # fmt: skip
    card = await stage.sees(await stage.room("Support queue"), "I want to buy it.")
    assert card["content"]["msgtype"] == "m.text"
