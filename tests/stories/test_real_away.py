"""What is said just before the homeserver dies, on a real Synapse: each command and reaction is
heard once, answered once, and leads to one mail."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.real import Town
from tests.stories.talk import (
    EXPERT,
    FORWARDED,
    REACTED,
    Talk,
    arrives,
    complete,
    drafted,
    failed,
    first_line,
    inside,
    status_of,
)

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


async def dies(town: Town) -> None:
    await town.synapse.kill()
    await town.synapse.start()


async def answered_once(talk: Talk, said: dict[str, tuple[str, str]]) -> None:
    """Each event of `said`, which gives its text and what its answer holds, has one answer."""
    for event, (text, answer) in said.items():
        await talk.told(event, text, answer)
    answers = Counter(
        each["content"].get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id")
        for each in await talk.agent.messages(talk.room)
    )
    assert {text: answers[event] for event, (text, _) in said.items() if answers[event] != 1} == {}


async def test_everything_that_is_answered(town: Town) -> None:
    await town.open(support=town.inbox("support"), sales=town.inbox("sales"))
    queue, _, room, _ = await inside(town)
    admin = town.agents["admin"]
    control = Talk(admin, await admin.enter("Postroom control"), "control", room.tried)
    words = await room.say("Press the button")
    here = {
        "!take": "#1 is yours.", "!tag +billing": "Tags: billing", "!note Call": "📝 Noted",
        "!priority high": "Priority: high", "!urgent": "#1 has high priority",
        "!subject Dark": "The room and the next emails",
        "!contact note tea": "Noted. Customers", "!to +a@x.example": ", a@x.example",
        "!cc +b@x.example": "Cc: b@x.example", "!bcc +c@x.example": "Bcc: c@x.example",
        "!snooze 2d": "Snoozed until", "!reopen": "Open again.", "!spam": "Marked as spam",
        "!block": "carla@customer.example is blocked", "!unassign": "#1 is free",
        "!assign @alice": "#1 is yours.", "!history": "none.", "!headers": "Message-ID: <m1@",
        "!info": "#1 Dark", "!snippets": "", "!help take": "Make this conversation yours.",
        "!unblock carla@customer.example": "carla@customer.example is not blocked any",
        "!export": "conversation-1", "!undo": "Nothing waits", "!close": "",
    }  # fmt: skip
    there = {
        "!list open": "Support, open", "!search display": "my display stays dark",
        "!stats": "Support: ", "!snippets": "", "!help list": "!list", "!away": "You are away",
        "!back": "Welcome back.", "!take 99": "There is no #99",
    }  # fmt: skip
    above = {
        "!snippet add hi\nHello": "Snippet hi is added",
        "!rule add support\nname: x\nwhen: {}\nthen: {tag: x}": "Rule 1 of Support",
        "!report week": "",
    }
    said = {await room.say(text): (text, answer) for text, answer in here.items()}
    kept = await room.say("!snippet add button", to=words)
    said[kept] = ("!snippet add button", "Kept: !snippet button")
    original = await room.say("!original")
    asked = {await queue.say(text): (text, answer) for text, answer in there.items()}
    ordered = {await control.say(text): (text, answer) for text, answer in above.items()}
    await dies(town)
    await answered_once(queue, asked)
    await town.quiet(90)
    await answered_once(room, said)
    await answered_once(control, ordered)
    await queue.sees("❗ 🏷 billing · ☑️ closed · alice")
    bodies = Counter(await room.bodies())
    assert (bodies["mail-1.eml"], bodies["conversation-1.mbox"]) == (1, 1), original
    sends = ("reply", "later", "draft", "send", "attach", "forward", "yes", "no", "retry", "merge",
             "split", "move")  # fmt: skip
    complete(room.tried, dict.fromkeys(
        [f"conversation !{name}" for name in sends] + ["queue !compose", *REACTED],
        "in the stories below",
    ))  # fmt: skip


async def test_everything_that_sends(town: Town) -> None:
    await town.open()
    queue, _, room, _ = await inside(town)
    alice = room.agent
    await room.ask("!snippet add push", "Kept", to=await room.say("From a snippet"))
    agreed, refused, stopped, planned = [
        await drafted(room, text) for text in ("Agreed", "Refused", "Stopped", "Planned")
    ]
    lost = await failed(town, room, "Lost and found")
    talk = await room.say("From talk")
    file = await alice.file(room.room, "manual.pdf", b"PDF", "application/pdf")
    for text, to in (
        ("!attach", file), ("!reply From a reply", ""), ("!send", talk), ("!yes", agreed),
        ("!no", refused), ("!undo", stopped), ("!retry", lost), (f"!forward {EXPERT} Above", ""),
        ("!snippet push send", ""), ("!later 2d", planned),
    ):  # fmt: skip
        await room.say(text, to=to)
    ordered = await room.say("!draft From a draft")
    await queue.say(f"!compose {EXPERT} Order\nFrom the queue")
    await dies(town)
    await town.sent(7, 60)
    draft = await status_of(room, ordered)
    await room.reads(draft, "From a draft")
    await room.reads(planned, "⏰ leaves")
    await room.say("!undo", to=planned)
    await dies(town)
    await room.say("!yes", to=draft)
    await dies(town)
    await town.sent(8, 60)
    await town.quiet(90)
    for status in (refused, stopped, planned):
        await room.reads(status, "nothing was sent")
    said = [
        "Above", "Agreed", "From a draft", "From a reply", "From a snippet", "From talk",
        "From the queue", "Lost and found",
    ]  # fmt: skip
    mails = await town.sent(len(said))
    assert sorted(first_line(each) for each in mails) == said
    by_text = {first_line(mail): mail for mail in mails}
    attached = by_text["From a reply"].iter_attachments()
    assert [part.get_filename() for part in attached] == ["manual.pdf"]
    rooms = [body for body in await queue.bodies() if body.startswith("#2 ")]
    assert len([body for body in rooms if "Order" in body]) == 1, rooms


async def test_every_reaction_and_where_mails_belong(town: Town) -> None:
    await town.open(support=town.inbox("support"), sales=town.inbox("sales"))
    queue, _, room, _ = await inside(town)
    alice = room.agent
    await arrives(town, 2, subject="Re: Case 1", text="About the first case")
    claim = await queue.sees("claims to belong to #1")
    await arrives(town, 3, text="The third case")
    await arrives(town, 4, text="More of the third", In_Reply_To="<m3@customer.example>")
    third = Talk(alice, await alice.walk_in(3), tried=room.tried)
    more = await third.sees("More of the third")
    await arrives(town, 5, **FORWARDED)
    fourth = await queue.sees("#4 Bob")
    forward = Talk(alice, await alice.walk_in(4), tried=room.tried)
    theirs = await forward.sees("↪ forwarded: Emil")
    agreed, refused = [await drafted(room, text) for text in ("Agreed", "Refused")]
    lost = await failed(town, room, "Lost and found")
    talk = await room.say("From talk")
    file = await alice.file(room.room, "manual.pdf", b"PDF", "application/pdf")
    for event, emoji in ((file, "📎"), (talk, "📧"), (agreed, "✅"), (refused, "❌"), (lost, "🔁")):
        await room.react(event, emoji)
    for card, emoji in ((claim, "🔗"), (fourth, "✋"), (fourth, "❗"), (fourth, "✅")):
        await queue.react(card, emoji)
    await forward.react(theirs, "👤")
    split = await third.say("!split", to=more)
    await dies(town)
    await town.sent(3, 60)
    await third.told(split, "!split", "is now #5, and yours")
    await room.sees("About the first case")
    await queue.reads(fourth, "☑️ closed · alice")
    await queue.reads(fourth, "#4 Emil <emil@customer.example>")
    await queue.reads(claim, "goes on in #1")
    await town.quiet(90)
    await room.reads(refused, "nothing was sent")
    mails = await town.sent(3)
    assert sorted(map(first_line, mails)) == ["Agreed", "From talk", "Lost and found"]
    by_text = {first_line(mail): mail for mail in mails}
    names = [part.get_filename() for part in by_text["From talk"].iter_attachments()]
    assert names == ["manual.pdf"]

    fifth = Talk(alice, await alice.walk_in(5), tried=room.tried)
    merged = await fifth.say("!merge 3 anyway")
    moved = await room.say("!move sales")
    await dies(town)
    await fifth.told(merged, "!merge", "This goes on in #3")
    await room.told(moved, "!move", "Moved to Sales")
    await town.quiet(90)
    for each, text in ((third, "More of the third"), (third, "Merged from #5"),
                       (room, "About the first case"), (room, "Moved to Sales")):  # fmt: skip
        found = [body for body in await each.bodies() if text in body]
        assert len(found) == 1, (text, found)
    sales = Talk(alice, await alice.enter("Sales queue"), "queue", room.tried)
    await sales.sees("#1 Carla Customer")
    assert len(town.smtp.accepted()) == 3
    assert room.tried >= REACTED
