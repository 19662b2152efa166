"""What is said twice, or by two agents, on a real Synapse: it happens once, or is an order of its
own each time, and the second answer says which."""

from __future__ import annotations

import pytest

from tests.real import Town
from tests.stories.talk import (
    EXPERT,
    GOES_ON,
    REACTED,
    Talk,
    arrives,
    begun,
    complete,
    drafted,
    failed,
    first_line,
    inside,
)

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
CARLA, OPENED = "carla@customer.example", ("!reopen", "Open again.", "It is open already.")
HERE = (
    ("!take", "#1 is yours.", "You have it already."),
    ("!unassign", "#1 is free: anyone may take it.", "Nobody has it."),
    ("!assign @alice", "#1 is yours.", "has it already."),
    ("!tag +vip", "Tags: vip", "Tags: vip"),
    ("!priority high", "Priority: high", "Priority: high"),
    ("!urgent", "#1 has high priority already.", "#1 has high priority already."),
    ("!subject Dark", "called “Dark”", "called “Dark”"),
    ("!to +b@x.example", f"<{CARLA}>, b@x.example", f"<{CARLA}>, b@x.example"),
    ("!cc +c@x.example", "Cc: c@x.example", "Cc: c@x.example"),
    ("!bcc +d@x.example", "Bcc: d@x.example", "Bcc: d@x.example"),
    ("!note Call", "📝 Noted", "📝 Noted"),
    ("!contact note tea", "Noted.", "Noted."),
    ("!snooze 2d", "Snoozed until", "Snoozed until"),
    OPENED,
    ("!spam", "Marked as spam.", "It is spam already."),
    OPENED,
    ("!block", f"{CARLA} is blocked: ", f"{CARLA} is blocked already."),
    (f"!unblock {CARLA}", f"{CARLA} is not blocked any more.", f"{CARLA} is not blocked;"),
    OPENED,
    ("!close", "Closed. A mail", "It is closed already."),
    OPENED,
    ("!history", "none.", "none."),
    ("!headers", "Message-ID: <m1@customer.example>", "Message-ID: <m1@customer.example>"),
    ("!info", "State: open, alice", "State: open, alice"),
    ("!snippets", "No snippets yet", "No snippets yet"),
    ("!help take", "Make this conversation yours.", "Make this conversation yours."),
)


async def twice(talk: Talk, text: str, first: str, second: str, to: str = "") -> None:
    await talk.ask(text, first, to=to)
    await talk.ask(text, second, to=to)


async def test_twice(town: Town) -> None:
    await town.open(support=town.inbox("support"), sales=town.inbox("sales"))
    queue, _, room, _ = await inside(town)
    for text, first, second in HERE:
        await twice(room, text, first, second)
    to = (await room.ask("!to")).splitlines()
    assert to[1:] == [f"To: Carla Customer <{CARLA}>, b@x.example", "Cc: c@x.example",
                      "Bcc: d@x.example"]  # fmt: skip
    for text in ("!original", "!original", "!export", "!export"):
        await room.say(text)
    for text, first, second in (
        ("!take 1", "You have it already.", "You have it already."),
        ("!list mine", "#1 Dark", "#1 Dark"),
        ("!search call", "2 hits", "2 hits"),
        ("!stats", "Support: ", "Support: "),
        ("!snippets", "No snippets yet", "No snippets yet"),
        ("!help list", "!list", "!list"),
        ("!away", "You are away", "You are away"),
        ("!back", "Welcome back.", "You were not away."),
    ):
        await twice(queue, text, first, second)
    admin = town.agents["admin"]
    control = Talk(admin, await admin.enter("Postroom control"), "control", room.tried)
    await twice(control, "!snippet add hi\nHi", "Snippet hi is added", "There is a snippet hi")
    await twice(control, "!snippet remove hi", "Snippet hi is removed.", "There is no snippet hi")
    await control.ask("!rule add support\nname: x\nwhen: {}\nthen: {tag: x}", "Rule 1 of Support")
    await twice(control, "!rule remove 1", "Rule 1 is removed.", "There is no rule 1;")
    # "Counting …", or the report where it was made before that was said
    await twice(control, "!report week", "", "")
    await town.quiet(60)
    files = [body for body in await room.bodies() if body.endswith((".eml", ".mbox"))]
    assert sorted(files) == ["conversation-1.mbox"] * 2 + ["mail-1.eml"] * 2
    assert town.smtp.accepted() == []
    elsewhere = ["reply", "later", "draft", "send", "attach", "forward", "undo", "yes", "no",
                 "retry", "snippet", "merge", "split", "move"]  # fmt: skip
    complete(room.tried, dict.fromkeys(
        [f"conversation !{name}" for name in elsewhere] + ["queue !compose", *REACTED],
        "in the two stories below",
    ))  # fmt: skip


async def planned_twice(room: Talk) -> str:
    """A draft that was planned twice and stopped."""
    planned = await drafted(room, "Planned")
    for _ in range(2):
        await room.say("!later 2d", to=planned)
        await room.reads(planned, "⏰ leaves")
    await room.say("!undo", to=planned)
    return planned


async def test_twice_what_sends(town: Town) -> None:
    queue, _, room, bobs = await begun(town)
    alice = room.agent
    for text in ("!reply Two replies", f"!forward {EXPERT} Two forwards"):
        for _ in range(2):  # each is an order of its own
            await room.say(text)
    await town.sent(4)
    for number in (2, 3):
        await queue.ask(f"!compose {EXPERT} Order\nTwo orders", f"#{number} is begun and yours")
    await town.sent(6)
    button = await room.say("One button")
    await twice(room, "!snippet add push", "Kept: !snippet push", "There is a snippet push already",
                to=button)  # fmt: skip
    await twice(room, "!snippet push", "📝 draft", "📝 draft")
    await room.say("!send", to=button)
    await town.sent(7)
    await room.ask("!send", "✅ sent", to=button)
    file = await alice.file(room.room, "manual.pdf", b"PDF", "application/pdf")
    await twice(room, "!attach", "📎 manual.pdf goes", "📎 manual.pdf goes", to=file)
    drafts = [await drafted(room, text) for text in ("Agreed once", "Refused", "Stopped")]
    await room.say("!yes", to=drafts[0])
    await town.sent(8)
    await room.ask("!yes", "Nothing waits for a yes there.", to=drafts[0])
    for text, draft in (("!no", drafts[1]), ("!undo", drafts[2])):
        for _ in range(2):
            await room.say(text, to=draft)
    planned = await planned_twice(room)
    lost = await failed(town, room, "Lost and found")
    await room.say("!retry", to=lost)
    await town.sent(9)
    await room.ask("!retry", "Nothing to try again: ✅ sent", to=lost)

    talk = await room.say("Mailed once")
    await room.react(talk, "📧")
    await town.sent(10)
    await bobs.react(talk, "📧", "✅ sent")
    for each in (room, bobs):
        await each.react(file, "📎", "📎 manual.pdf goes with your next email.")
    agreed, refused = [await drafted(room, text) for text in ("Ticked", "Crossed")]
    await room.react(agreed, "✅")
    await town.sent(11)
    await bobs.react(agreed, "✅", "Nothing waits for a yes there.")
    for each in (room, bobs):
        await each.react(refused, "❌")
    lost = await failed(town, room, "Found again")
    await room.react(lost, "🔁")
    await town.sent(12)
    await bobs.react(lost, "🔁", "Nothing to try again: ✅ sent")
    await town.quiet(60)
    for draft in (refused, planned, *drafts[1:]):
        await room.reads(draft, "nothing was sent")
    mails = await town.sent(12)
    assert [first_line(each) for each in mails] == [
        "Two replies", "Two replies", "Two forwards", "Two forwards", "Two orders", "Two orders",
        "One button", "Agreed once", "Lost and found", "Mailed once", "Ticked", "Found again",
    ]  # fmt: skip
    names = [[part.get_filename() for part in mail.iter_attachments()] for mail in mails]
    assert names == [[], [], ["photo.png"], ["photo.png"], [], [], [], ["manual.pdf"], [], [],
                     ["manual.pdf"], []]  # fmt: skip


async def test_twice_where_mails_belong(town: Town) -> None:
    await town.open(support=town.inbox("support"), sales=town.inbox("sales"))
    queue, bobs_queue, room, _ = await inside(town)
    await arrives(town, 2, subject="Re: Case 1", text="About the first case")
    await queue.sees("claims to belong to #1")
    await arrives(town, 3, text="The third case")
    card, third = await queue.sees("claims to belong to #1"), await queue.sees("#3 Carla Customer")
    await queue.react(card, "🔗")
    copy = await room.sees("About the first case")
    await bobs_queue.react(card, "🔗", GOES_ON)
    await queue.react(third, "✋")
    await queue.reads(third, "✋ taken by alice")
    await bobs_queue.react(third, "✋", "#3 is taken by alice")
    await queue.react(third, "✅")
    await queue.reads(third, "☑️ closed")
    await bobs_queue.react(third, "✅", "It is closed already.")
    await twice(room, "!split", "is now #4, and yours", "as a reply to a mail", to=copy)
    fourth = Talk(room.agent, await room.agent.walk_in(4), tried=room.tried)
    await twice(fourth, "!merge 1 anyway", "This goes on in #1", GOES_ON)
    await room.agent.enter("Sales queue")  # else she is out of the room once it is moved
    await twice(room, "!move sales", "Moved to Sales", "It is in Sales already.")
