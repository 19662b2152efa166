"""Stories on a Synapse whose people log in at a Matrix Authentication Service."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.real import DOMAIN, Town
from tests.stage import mail

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


async def test_mail_in_talk_and_mail_out_where_people_log_in_at_mas(mas_town: Town) -> None:
    """Also after a start that finds every ghost known, and with devices that were deleted."""
    town, alice = mas_town, mas_town.agents["alice"]
    await town.open()
    queue = await alice.enter("Support queue")
    await town.deliver("support@acme.example", mail(files=(("p.png", "image/png", b"PNG"),)))
    card = await alice.sees(queue, "#1 Dark display")
    await alice.react(queue, card["event_id"], "✋")
    room = await alice.walk_in(1)
    shown = await alice.sees(room, "my display stays dark")
    await alice.sees(room, "p.png")
    await alice.say(room, "Just between us.")
    await alice.say(room, "!reply Please press the button.")
    (sent,) = await town.sent(1)
    await alice.sees(room, "✅ sent")

    await town.bridge.kill()
    await town.bridge.start()
    await town.healthy()
    assert town.mas is not None
    for ghost in (shown["sender"], f"@email_bot:{DOMAIN}"):  # an admin tidied up
        localpart = ghost[1:].partition(":")[0]
        await town.mas.order(
            town.synapse.url, "delete_device", localpart=localpart, device_id="POSTROOM"
        )
    answer = mail("It lights up.", message_id="<m2@customer.example>",
                  In_Reply_To=str(sent["Message-ID"]))  # fmt: skip
    await town.deliver("support@acme.example", answer)
    await alice.sees(room, "It lights up.")
    await alice.say(room, "!reply Very good.")
    await town.sent(2)
    await town.quiet(60)


async def test_killing_synapse_under_mas_doubles_nothing(mas_town: Town) -> None:
    """Killed while it posts a mail, and right after it answered an agent."""
    town, alice = mas_town, mas_town.agents["alice"]
    await town.open()
    await alice.enter("Support queue")
    await town.deliver("support@acme.example", mail("Question 0"))
    room = await alice.walk_in(1)
    for index in range(1, 4):
        more = mail(f"Question {index}", message_id=f"<q{index}@customer.example>",
                    In_Reply_To="<m1@customer.example>")  # fmt: skip
        await town.deliver("support@acme.example", more)
        await alice.say(room, f"!reply Answer {index}")
        await town.synapse.kill()
        await town.synapse.start()
        await town.sent(index, 90)
    await town.quiet(90)
    texts = Counter(event["content"].get("body", "") for event in await alice.messages(room))
    for index in range(4):
        assert texts[f"Question {index}"] == 1, texts
    assert len(town.smtp.accepted()) == 3


async def test_a_running_installation_moves_to_mas(town: Town) -> None:
    """People log in anew; ghosts, rooms and transaction ids are as before."""
    await town.open()
    alice = town.agents["alice"]
    await alice.enter("Support queue")
    await town.deliver("support@acme.example", mail())
    room = await alice.walk_in(1)
    await alice.say(room, "!reply Please press the button.")
    (sent,) = await town.sent(1)
    await town.quiet(60)

    await town.move_to_mas()
    alice = town.agents["alice"]
    answer = mail("It lights up.", message_id="<m2@customer.example>",
                  In_Reply_To=str(sent["Message-ID"]))  # fmt: skip
    await town.deliver("support@acme.example", answer)
    await alice.sees(room, "It lights up.")
    await alice.say(room, "!reply Very good.")
    await town.sent(2)
    other = mail("Mine, too.", subject="Lamp", message_id="<d@customer.example>",
                 sender="Dora <dora@customer.example>")  # fmt: skip
    await town.deliver("support@acme.example", other)
    await alice.enter("Support queue")
    await alice.sees(await alice.walk_in(2), "Mine, too.")
    await town.quiet(60)
