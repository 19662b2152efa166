"""Spam and blocked senders: kept, found again, and nobody is told."""

from __future__ import annotations

import pytest

from tests.stage import ALICE, Stage, mail, until
from tests.stories.desk import begun

SPAMMER = "carla@customer.example"


async def test_what_a_blocked_sender_writes_is_kept_and_tells_nobody(stage: Stage) -> None:
    room = await begun(stage)
    queue = await stage.queue()
    stage.hs.say(ALICE, room.id, "!block")
    await stage.sees(room, f"{SPAMMER} is blocked: its mails are kept as spam")
    await stage.sees(room, "This conversation is spam now. !unblock carla@customer.example")
    stage.hs.say(ALICE, room.id, "!block")
    await stage.sees(room, f"{SPAMMER} is blocked already.")
    cards = len(stage.hs.bodies(queue))
    await stage.mail(mail("Buy now!", message_id="<s1@customer.example>", subject="Offer"))
    other = await stage.conversation(2)
    await stage.sees(other, "Buy now!")
    await stage.quiet()
    assert not any("Offer" in body for body in stage.hs.bodies(queue)[cards:])
    assert " · spam" in str(other.state["m.room.topic", ""]["content"]["topic"])
    stage.hs.say(ALICE, queue.id, "!list spam")
    await stage.sees(queue, "#2 Offer")
    stage.hs.join(ALICE, other.id)
    stage.hs.say(ALICE, other.id, "!unblock carla@customer.example")
    await stage.sees(other, f"{SPAMMER} is not blocked any more.")
    stage.hs.say(ALICE, other.id, "!reopen")
    await stage.sees(queue, "#2 Carla")
    await stage.mail(mail("Sorry.", message_id="<s2@customer.example>", subject="Sorry"))
    await stage.sees(queue, "#3 Carla")


async def test_a_domain_is_blocked_with_what_is_below_it(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!block @Spam.Example")
    await stage.sees(room, "spam.example is blocked")
    stage.hs.say(ALICE, room.id, "!unblock")
    await stage.sees(room, "Blocked in Support: spam.example")
    for number, sender in ((2, "a@mail.spam.example"), (3, "b@spam.example")):
        await stage.mail(mail("x", sender=sender, message_id=f"<{number}@spam.example>"))
        found = await stage.conversation(number)
        await until(lambda found=found: " · spam" in str(  # type: ignore[misc]  # bound early
            found.state["m.room.topic", ""]["content"]["topic"]), "spam")  # fmt: skip
    await stage.mail(mail("x", sender="c@notspam.example", message_id="<4@x.example>"))
    await stage.sees(await stage.queue(), "#4 ")


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("!block gmail.com", "gmail.com is the domain of very many people: block one address"),
        ("!block support@acme.example", "support@acme.example is this inbox's own"),
        ("!block acme.example", "acme.example is this inbox's own"),
        ("!block everybody", "everybody is no address and no domain, like x@spam.example."),
        ("!unblock x@y.example", "x@y.example is not blocked; !unblock alone shows who is."),
    ],
)
async def test_what_cannot_be_blocked(stage: Stage, said: str, refused: str) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, said)
    await stage.sees(room, refused)
