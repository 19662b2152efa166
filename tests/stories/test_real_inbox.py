"""An inbox by chat alone, on a real Synapse and a real Dovecot: from nothing to an answered mail,
and out again with an export."""

from __future__ import annotations

import mailbox
import re
from email.parser import BytesParser
from email.policy import default
from typing import Any

import nio
import pytest

from tests.real import DOMAIN, Agent, Town
from tests.servers.database import rows
from tests.stage import mail, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
SUPPORT = "support@acme.example"
WRONG, RIGHT = "kanarienfalsch", "kanarienrichtig"
"""Passwords that must be found nowhere afterwards."""


async def ask(agent: Agent, room: str, text: str, *answers: str, begins: str = "") -> str:
    """Say something; wait for the reply to it, and until it begins so: a test's grows."""
    event = await agent.say(room, text)

    async def found() -> str:
        for each in await agent.messages(room):
            reply = each["content"].get("m.relates_to", {}).get("m.in_reply_to", {})
            body = str(each["content"].get("body", ""))
            if reply.get("event_id") == event and body.startswith(begins):
                return body
        return ""

    body = await until(found, f"an answer to {text!r}", 90)
    for answer in answers:
        assert answer in body, body
    return body


async def try_out(agent: Agent, room: str, answer: str) -> None:
    await ask(agent, room, "!inbox test support", answer, begins="Test of support")


async def test_from_an_empty_configuration_to_an_answered_mail_and_out_again(town: Town) -> None:
    town.dovecot.users[SUPPORT] = RIGHT
    town.dovecot.write_users()
    town.smtp.relay = town.relay
    await town.run(town.config())
    admin, alice = town.agents["admin"], town.agents["alice"]
    control = await admin.enter("Postroom control")
    await ask(admin, control, "!inbox list", "No inbox yet.")
    await ask(
        admin, control, f"!inbox add {SUPPORT}", "Draft support begun", "Where is the mailbox?"
    )
    await ask(admin, control, "127.0.0.1:1", "implicit, starttls or none?")
    await ask(admin, control, "implicit", "What is the password")
    await ask(admin, control, WRONG, "🔒 Kept encrypted", "Which server sends its mail?")
    await ask(admin, control, "local", "Who answers this mail?")
    await ask(admin, control, "alice", "is not a Matrix ID")
    await ask(admin, control, f"@alice:{DOMAIN}", "Draft support is complete")
    await ask(admin, control, f"!inbox set support smtp.prot {town.smtp.port}",
              "There is no key smtp.prot; did you mean smtp.port?")  # fmt: skip
    await ask(admin, control, f"!inbox set support smtp.port {town.smtp.port}", "is now")
    await ask(admin, control, "!inbox set support undo 0", "is now")
    await try_out(admin, control, "❌ Nothing listens at 127.0.0.1:1.")
    await ask(admin, control, f"!inbox set support imap.port {town.dovecot.imap_port}", "is now")
    await try_out(admin, control, "does not speak TLS at once, as imap.tls implicit wants.")
    await ask(admin, control, "!inbox set support imap.tls none", "is now none")
    await try_out(admin, control, f"❌ 127.0.0.1 refuses the log-in of {SUPPORT}")
    await ask(admin, control, f"!inbox set support imap.password {RIGHT}", "🔒 Kept encrypted")
    await try_out(admin, control, "everything works")
    await ask(admin, control, "!inbox publish support for the shop", "is live", "@alice")
    room = await answered(town, alice)
    await ask(admin, control, "!agent list", "Support: alice (@alice")
    await ask(admin, control, "!audit", "published (for the shop)")
    await removed_with_export(town, admin, control, room)
    await nowhere(town, admin, control)


async def answered(town: Town, alice: Agent) -> str:
    """A customer's mail, an answer, and the customer's answer to the reply address; the room."""
    await alice.enter("Support queue")
    await town.healthy()
    await town.deliver(SUPPORT, mail(), sender="carla@customer.example")
    room = await alice.walk_in(1)
    await alice.sees(room, "my display stays dark")
    before = len(town.smtp.accepted())
    await alice.say(room, "!reply Have you pressed the button?")
    sent = (await town.sent(before + 1))[-1]
    assert sent["From"] == f"alice from Support <{SUPPORT}>"
    reply_to = str(sent["Reply-To"])
    assert re.fullmatch(r"support\+1-[a-z2-7]{26}@acme\.example", reply_to)
    await town.deliver(reply_to, mail("That was it, thank you!", to=reply_to,
                                      message_id="<m2@customer.example>"))  # fmt: skip
    await alice.sees(room, "That was it, thank you!")
    return room


async def removed_with_export(town: Town, admin: Agent, control: str, room: str) -> None:
    await ask(admin, control, "!inbox remove support", "1 conversation", "!export support saves")
    await admin.say(control, "!export support")
    await admin.sees(control, "3 mails of support exported.")
    told = await admin.sees(control, "support.mbox")
    answer = await admin.client.download(mxc=told["content"]["url"])
    assert isinstance(answer, nio.DownloadResponse), answer
    path = town.folder / "support.mbox"
    path.write_bytes(answer.body)
    parser: Any = BytesParser(policy=default)
    box = mailbox.mbox(str(path))
    mails = [parser.parsebytes(box.get_bytes(key)) for key in box.keys()]  # noqa: SIM118 - a mailbox, no dict
    box.close()
    assert [str(each["Subject"]) for each in mails] == ["Dark display", "Re: Dark display",
                                                       "Dark display"]  # fmt: skip
    await ask(admin, control, "!yes", "support is removed.")
    await ask(admin, control, "!inbox list", "No inbox yet.")
    alice = town.agents["alice"]
    await alice.say(room, "!reply one more")
    await alice.sees(room, "nothing was sent")
    await town.deliver(SUPPORT, mail("Too late.", message_id="<m3@customer.example>"))
    await town.quiet(60)
    assert not any("Too late" in str(event) for event in await alice.messages(room))


async def nowhere(town: Town, admin: Agent, control: str) -> None:
    """Neither password is in a room, in the database or in the log."""
    await until(lambda: wiped(admin, control), "the redactions")
    log = town.bridge.log.read_text()
    assert WRONG not in log
    assert RIGHT not in log
    for table in ("event", "post", "inbox", "audit", "setting", "job"):
        found = str(await rows(town.database, town.folder, f"SELECT * FROM {table}"))
        assert WRONG not in found, table
        assert RIGHT not in found, table


async def wiped(admin: Agent, control: str) -> bool:
    said = str(await admin.messages(control))
    return WRONG not in said and RIGHT not in said
