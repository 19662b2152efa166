"""Copies of sent mails on servers that have their folders elsewhere, or let us make none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bridge.config.credentials import ConfiguredCredentials
from bridge.config.inbox import Inbox
from bridge.config.server import Imap
from bridge.imap.folders import Folders
from bridge.model import InboxId
from tests.servers.scripted_imap import Answer, ScriptedImap
from tests.stage import ALICE, SUPPORT, Stage
from tests.stories.desk import control_room

LISTED = b'* LIST (\\HasChildren) "." INBOX\r\n* LIST () "." INBOX.Drafts\r\nTAG OK done\r\n'


@asynccontextmanager
async def scripted(answer: Answer, *more: str) -> AsyncIterator[ScriptedImap]:
    server = ScriptedImap(answer=answer, capabilities=" ".join(("IMAP4rev1", *more)))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def test_a_folder_is_made_where_all_folders_are_inside_inbox() -> None:
    def answer(verb: str, args: str) -> bytes | None:
        if verb == "LIST":
            return LISTED
        refused = verb == "CREATE" and args == '"Sent"'
        return b"TAG NO Invalid mailbox name: prefix it with INBOX.\r\n" if refused else None

    async with scripted(answer) as server:
        imap = Imap(host="127.0.0.1", port=server.port, tls="none", user="s", password="secret")
        inbox = Inbox(id=InboxId("support"), name="Support", address=SUPPORT, imap=imap)
        await Folders(ConfiguredCredentials()).append_sent(inbox, b"Subject: x\r\n\r\nx")
        assert [each for each in server.commands if each.startswith(("CREATE", "APPEND"))] == [
            'CREATE "Sent"', 'CREATE "INBOX.Sent"', server.commands[-2],
        ]  # fmt: skip
        assert server.commands[-2].startswith('APPEND "INBOX.Sent" (\\Seen)')
        assert server.appended == [b"Subject: x\r\n\r\nx"]


@pytest.mark.parametrize(("said", "made"), [
    (b'* NAMESPACE (("INBOX." ".")) NIL NIL\r\nTAG OK done\r\n', "INBOX.Sent"),
    (b'* NAMESPACE (("" "/")) (("Other/" "/")) NIL\r\nTAG OK done\r\n', "Sent"),
    (b"* NAMESPACE NIL NIL NIL\r\nTAG OK done\r\n", "Sent"),
    (b"TAG NO not now\r\n", "Sent"),
])  # fmt: skip
async def test_a_folder_is_made_where_the_server_has_those_of_ones_own(
    said: bytes, made: str
) -> None:
    def answer(verb: str, args: str) -> bytes | None:
        return {"LIST": b"TAG OK done\r\n", "NAMESPACE": said}.get(verb)

    async with scripted(answer, "NAMESPACE") as server:
        imap = Imap(host="127.0.0.1", port=server.port, tls="none", user="s", password="secret")
        inbox = Inbox(id=InboxId("support"), name="Support", address=SUPPORT, imap=imap)
        await Folders(ConfiguredCredentials()).append_sent(inbox, b"Subject: x\r\n\r\nx")
        created = [each for each in server.commands if each.startswith("CREATE")]
        assert created == [f'CREATE "{made}"']


async def test_a_refused_folder_is_told_once_and_every_mail_is_sent(stage: Stage) -> None:
    def answer(verb: str, args: str) -> bytes | None:
        if verb == "LIST":
            return LISTED
        return b"TAG NO [NOPERM] Permission denied\r\n" if verb == "CREATE" else None

    async with scripted(answer) as server:
        config = stage.config()
        config["inboxes"]["support"]["imap"] |= {"port": server.port, "poll": 60}
        await stage.open(config)
        control = await control_room(stage)
        queue = await stage.queue(ALICE)
        for number in (1, 2):
            stage.hs.say(ALICE, queue.id, f"!compose carla@customer.example Order\nText {number}")
            await stage.sent(number)
            await stage.quiet()
        told = [body for body in stage.hs.bodies(control) if "Sent folder" in body]
        assert len(told) == 1
        assert "Permission denied" in told[0]
        assert "!inbox set support sent_copy never" in told[0]
