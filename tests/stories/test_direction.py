"""Inboxes that only receive, or only send."""

from __future__ import annotations

from bridge.desk import addresses
from tests.stage import ALICE, SUPPORT, Stage, mail
from tests.stories.desk import ask, begun, control_room


async def test_an_inbox_that_only_receives_sends_nothing(stage: Stage) -> None:
    room = await begun(stage, direction="inbound")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "Inbox Support only receives mail; nothing was sent.")
    queue = await stage.queue(ALICE)
    stage.hs.say(ALICE, queue.id, "!compose dan@x.example Hello\nText")
    await stage.sees(queue, "Inbox Support only receives mail; nothing was sent.")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_an_inbox_that_only_sends_reads_nothing_until_it_may(stage: Stage) -> None:
    config = stage.config(direction="outbound")
    await stage.open(config)
    control = await control_room(stage)
    await ask(stage, control, "!status", f"Support <{SUPPORT}>: only sends; 0 waiting")
    await stage.mail(mail())
    queue = await stage.queue(ALICE)
    stage.hs.say(ALICE, queue.id, "!compose dan@x.example Hello\nText")
    (sent,) = await stage.sent()
    assert sent["To"] == "dan@x.example"
    assert await addresses.owner(stage.app.desk, SUPPORT) is None, "what is forwarded is refused"
    assert await addresses.owners(stage.app.desk, [SUPPORT]) == []
    await stage.quiet()
    assert not [each for each in stage.hs.rooms.values() if "my display" in str(each.events)]
    await stage.close()
    config["inboxes"]["support"] |= {"direction": "both", "imap": {
        **config["inboxes"]["support"]["imap"], "since": "2020-01-01"}}  # fmt: skip
    await stage.open(config)
    await stage.sees(await stage.conversation(2), "my display stays dark")
