"""What was in the mailbox before the first start: all of it comes, and new mail goes first."""

from __future__ import annotations

import asyncio

from bridge.model.job import BUSY
from tests.servers.database import rows
from tests.stage import ALICE, Stage, mail, until

OLD = 60


def letter(number: int) -> bytes:
    who = f"c{number}@customer.example"
    return mail(f"I am {who}.", sender=who, subject=f"Old {number}", message_id=f"<{who}>")


async def test_new_mail_is_shown_long_before_the_last_old_one(stage: Stage) -> None:
    for number in range(OLD):
        await stage.mail(letter(number))
    create = stage.hs._create

    async def slowly(user: str, body: object) -> object:
        await asyncio.sleep(0.2)  # a homeserver makes some rooms a second
        return create(user, body)

    stage.hs._create = slowly  # type: ignore[method-assign]  # the homeserver's part
    config = stage.config()
    config["limits"] = {"rooms_per_inbox": 1_000, "rooms_per_sender": 1_000}
    config["inboxes"]["support"]["imap"]["since"] = "2020-01-01"
    await stage.open(config)
    await stage.queue(ALICE)
    await until(lambda: rooms_made(stage), "the first old conversation")
    await stage.mail(mail("I am new."))

    async def is_shown() -> bool:
        found = await rows(stage.database, stage.folder, "SELECT id FROM mail WHERE sender LIKE"
                           " 'carla@%'")  # fmt: skip
        return bool(found)

    await until(is_shown, "the new mail")
    old = await rows(stage.database, stage.folder, "SELECT COUNT(*) AS n FROM mail WHERE sender"
                     " LIKE 'c%@customer.example' AND sender NOT LIKE 'carla@%'")  # fmt: skip
    assert old[0]["n"] < OLD - 8, "the new mail waited for the old ones"
    waiting = await rows(stage.database, stage.folder, "SELECT COUNT(*) AS n FROM job WHERE share"
                         " = 'mail' AND kind <> 'receive'")  # fmt: skip
    assert waiting[0]["n"] < 3 * BUSY, "old rooms pile up before the new one"
    await until(lambda: cards(stage) == OLD + 1, lambda: f"{OLD + 1} cards, not {cards(stage)}")


def rooms_made(stage: Stage) -> bool:
    return any(
        "Old " in str(room.state.get(("m.room.name", ""))) for room in stage.hs.rooms.values()
    )


def cards(stage: Stage) -> int:
    queue = stage.hs.named("Support queue")
    assert queue is not None
    return sum(body.startswith("#") for body in stage.hs.bodies(queue))
