"""What is not done, on a real Synapse: each command and reaction by somebody who may not, with a
wrong argument, and in a wrong state. test_real_twice has what is said twice, test_real_away what is
said while the homeserver is away."""

from __future__ import annotations

import pytest

from bridge.desk.events.commands import AGENT_COMMANDS
from bridge.matrix.homeserver import Homeserver
from bridge.model import Mxid, RoomId
from tests.real import DOMAIN, Town
from tests.stage import until
from tests.stories.talk import (
    EVERYTHING,
    EXPERT,
    GOES_ON,
    Talk,
    arrives,
    begun,
    complete,
    failed,
    inside,
    named,
    status_of,
)

STILL_THERE = tuple(spec.word for spec in AGENT_COMMANDS if spec.works_after_merge)

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
ONLY_AGENTS = "Only agents of Support can do that; nothing was done."
ANSWERS_ALWAYS = "only shows something, and does so in every state"
NO_ARGUMENT = "takes no argument"
WRONG_HERE = {
    "!reply": "Nothing to send: write the text after !reply.",
    "!draft": "Nothing to send: write the text after !draft.",
    "!later never": "Say when, like 2d, 3h",
    "!forward me": "Say to whom: !forward ADDRESS… [TEXT].",
    "!to carla": "carla is not a valid email address; nothing was changed.",
    "!cc x@": "x@ is not a valid email address; nothing was changed.",
    "!bcc support@acme.example": "is this inbox itself; nothing was changed.",
    "!assign @nobody": "@nobody is not an agent of Support; its agents are",
    "!block gmail.com": "block one address instead",
    "!unblock carla": "carla is no address and no domain, like x@spam.example.",
    "!snooze never": "Say",
    "!tag +a%b": "+a%b is not a valid tag: use letters, digits and -, at most 40 characters;"
    " nothing was changed.",
    "!priority now": "Say !priority high, normal or low; nothing was changed.",
    "!snippet nope": "There is no snippet nope; there are none yet.",
    "!snippet add a%b": "is no name for a snippet: use letters, digits and -.",
    "!snippets nope": "There is no snippet nope; there are none yet.",
    "!contact set carla": "carla is not a valid email address, like x@example.com.",
    "!merge 99": "There is no #99 in Support.",
    "!move nowhere@acme.example": "Say to which inbox: !move ADDRESS; there are sales@",
    "!note": "Say what to note: !note TEXT. Customers never see it.",
    "!help nonsense": "No command !nonsense here; !help lists them.",
}
WRONG_IN_QUEUE = {
    "!take 99": "There is no #99 in Support.",
    "!compose Hello": "Say to whom, about what, and the text on the next lines:",
    "!list everything": "Say what to list: open, mine,",
    "!search": "Say what to look for: !search refund",
    "!snippets nope": "There is no snippet nope; there are none yet.",
    "!help nonsense": "No command !nonsense here; !help lists them.",
}


async def test_from_who_may_not(town: Town) -> None:
    queue, _, room, _ = await begun(town)
    alice, eve = room.agent, town.agents["eve"]
    await alice.client.room_invite(room.room, eve.mxid)
    await eve.join(room.room)
    tried: set[str] = set()
    guest = Talk(eve, room.room, tried=tried)
    for name in named("conversation"):
        await guest.ask(f"!{name} 1", ONLY_AGENTS)
    draft = await status_of(room, await room.say("!draft Nobody's but ours"))
    lost = await failed(town, room, "to nobody")
    file = await alice.file(room.room, "secret.pdf", b"PDF", "application/pdf")
    await guest.react(await room.say("Dear Carla"), "📧", ONLY_AGENTS)
    await guest.react(file, "📎", ONLY_AGENTS)
    theirs = await room.sees("my display stays dark")
    for status, emoji in ((draft, "✅"), (draft, "❌"), (lost, "🔁"), (theirs, "👤")):
        await guest.react(status, emoji)
    await guest.ask("!info", ONLY_AGENTS)  # what was before is heard by now
    await room.reads(draft, "📝 draft")
    await room.reads(lost, "❌ failed: 550")
    assert await room.owner() == "alice"

    await eve.client.join(queue.room)
    await alice.client.room_invite(queue.room, eve.mxid)
    await eve.client.join(queue.room)
    assert queue.room not in (await eve.client.joined_rooms()).rooms
    await town.quiet(60)
    assert town.smtp.accepted() == []
    await town.bridge.kill()
    config = town.config(support=town.inbox("support"))
    await town.run({**config, "admins": [*config["admins"], alice.mxid]})
    was_admin = Talk(alice, await alice.enter("Postroom control"), "control", tried)
    await was_admin.ask("!rule list", "No rules yet.")
    await town.bridge.kill()
    await town.run(config)

    async def is_out() -> bool:
        return was_admin.room not in (await alice.client.joined_rooms()).rooms

    await until(is_out, "the former admin to be out of the control room")
    homeserver = Homeserver(town.synapse.url, "as", f"@email_bot:{DOMAIN}")
    await homeserver.start()
    # nobody but the bot can ask people in; who is there all the same has no say
    await homeserver.invite(RoomId(was_admin.room), Mxid(alice.mxid))
    await homeserver.close()
    await alice.join(was_admin.room)
    for text in ("!report week", "!rule list", "!snippet list"):
        await was_admin.ask(text, "Only admins can do that.")
    in_queue = [each for each in EVERYTHING if each.startswith("queue ")]
    complete(tried, dict.fromkeys(in_queue, "who is in the queue room is an agent"))


async def test_with_a_wrong_argument(town: Town) -> None:
    await town.open(support=town.inbox("support"), sales=town.inbox("sales"))
    queue, _, room, _ = await inside(town)
    await arrives(town, 2, text="The second case")
    second = Talk(room.agent, await room.agent.walk_in(2), tried=room.tried)
    elsewhere = await status_of(second, await second.say("!draft In the other room"))
    talk = await room.say("Only talk")
    theirs = await room.sees("my display stays dark")
    for text, answer in WRONG_HERE.items():
        await room.ask(text, answer)
    for text, to, answer in (
        ("!send", theirs, "That was not written by an agent; use !reply."),
        ("!attach", talk, "Use this as a reply to a file, or as its caption."),
        ("!split", talk, "Use this as a reply to a mail that came in"),
        ("!headers", talk, "Reply to a mail of this conversation to see its headers."),
        ("!original", talk, "That is no mail of this conversation; reply to one"),
        *((f"!{name}", elsewhere, "That belongs to another conversation; nothing was done.")
          for name in ("undo", "yes", "no", "retry")),
    ):  # fmt: skip
        await room.ask(text, answer, to=to)
    for text, answer in WRONG_IN_QUEUE.items():
        await queue.ask(text, answer)
    await room.react(theirs, "📧", "That was not written by an agent; use !reply.")
    await room.react(talk, "📎", "Use this as a reply to a file, or as its caption.")
    for emoji in ("❌", "✅", "🔁", "👤"):  # on talk they mean what they mean among people
        await room.react(talk, emoji)
    card = await queue.sees("#1 Carla Customer")
    await queue.react(card, "🔗", "#1 claims to belong to no other conversation.")
    for emoji in ("✋", "✅", "❗"):
        await queue.react(await queue.sees("Support: "), emoji)
    await queue.ask("!list unassigned", "#1 Case 1")
    assert "Nothing" not in "".join((await room.bodies())[-3:])
    admin = town.agents["admin"]
    control = Talk(admin, await admin.enter("Postroom control"), "control", room.tried)
    await control.ask("!report year", "Say !report week or !report month.")
    await control.ask("!rule remove 9", "There is no rule 9; those of config.yaml")
    await control.ask("!rule add nowhere", "Say which inbox, and the rule on the lines below")
    await control.ask("!snippet add hi\nDear {nobody}", "{nobody} is no variable; there are")
    await town.quiet(60)
    assert town.smtp.accepted() == []
    here = ("take", "urgent", "unassign", "close", "reopen", "spam", "history", "info", "export")
    shows = "any argument is a new subject; none shows it"
    complete(room.tried, {
        **{f"conversation !{name}": NO_ARGUMENT for name in here},
        "conversation !subject": shows,
        **{f"queue !{name}": NO_ARGUMENT for name in ("stats", "away", "back")},
    })  # fmt: skip


async def test_in_a_wrong_state(town: Town) -> None:
    await town.open(support=town.inbox("support"), sales=town.inbox("sales", smtp=None))
    queue, _, first, _ = await inside(town)
    alice, tried = first.agent, first.tried
    for text, answer in {
        "!undo": "Nothing waits for that here.", "!no": "Nothing waits for that here.",
        "!yes": "Nothing waits for that here.", "!retry": "Nothing waits for that here.",
        "!unassign": "Nobody has it.", "!reopen": "It is open already.",
        "!unblock x.example": "is not blocked",
        "!merge 1": "That is this conversation itself.",
        "!move support@acme.example": "It is in Support already.",
    }.items():  # fmt: skip
        await first.ask(text, answer)
    theirs = await first.sees("my display stays dark")
    await first.ask("!split", "It is the only mail here; there is nothing to split.", to=theirs)

    await arrives(town, 2, text="The second case")
    room = Talk(alice, await alice.walk_in(2), tried=tried)
    talk, file = await room.say("Dear Carla"), await alice.file(room.room, "m.pdf", b"", "x/y")
    status = await status_of(room, await room.say("!reply Sent before"))
    await room.reads(status, "✅ sent")
    draft = await status_of(room, await room.say("!draft Waits for a yes"))
    await room.ask("!merge 1", "is still on its way, or waits for an answer")
    await room.ask("!move sales@acme.example", "is still on its way, or waits for an answer")
    await room.react(draft, "❌")
    await room.reads(draft, "nothing was sent")
    await room.react(draft, "✅", "Nothing waits for a yes there.")
    await room.react(draft, "🔁", "Nothing to try again: 🚫 stopped by")
    await room.react(status, "❌", "Too late: ✅ sent")
    await room.ask("!merge 1", "This goes on in #1")
    for name in named("conversation"):
        if name not in STILL_THERE:
            await room.ask(f"!{name} x", GOES_ON)
    await town.agents["bob"].join(room.room)
    bobs = Talk(town.agents["bob"], room.room, tried=tried)  # the homeserver takes each only once
    second = await bobs.sees("The second case")
    for event, signs in ((talk, "📧"), (file, "📎"), (status, "❌✅🔁"), (second, "👤")):
        for emoji in signs:
            await bobs.react(event, emoji, GOES_ON)
    card = await queue.sees("#2 Carla Customer")
    for emoji in "✋✅❗🔗":
        await queue.react(card, emoji, GOES_ON)
    await queue.ask("!take 2", GOES_ON)
    await room.ask("!split", "goes on here again, its 2 mails are back from #1.")
    await queue.ask("!back", "You were not away.")
    sales = Talk(alice, await alice.enter("Sales queue"), "queue", tried)
    await sales.ask(f"!compose {EXPERT} Order\nDear all", "has no outgoing server; nothing was")
    admin = town.agents["admin"]
    control = Talk(admin, await admin.enter("Postroom control"), "control", tried)
    await control.ask("!snippet edit hi\nHello", "There is no snippet hi of all inboxes")
    await control.ask("!rule test support", "No rules yet.")
    await town.quiet(60)
    assert len(town.smtp.accepted()) == 1
    complete(tried, {
        **{f"conversation !{name}": ANSWERS_ALWAYS for name in STILL_THERE if name != "split"},
        **{f"queue !{name}": ANSWERS_ALWAYS
           for name in ("list", "search", "snippets", "stats", "help")},
        "queue !away": "who is away may say so again",
        "control !report": ANSWERS_ALWAYS,
    })  # fmt: skip
