"""Every command and reaction of agents on a real Synapse; test_real_refusals has what is not
done. They are told on each kind of homeserver with FULL=1."""

from __future__ import annotations

import asyncio

import pytest

from tests.real import DOMAIN, Town
from tests.servers.smtp import Fault
from tests.stage import until
from tests.stories.talk import EXPERT, FORWARDED, Talk, arrives, begun, drafted

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture
def town(any_town: Town) -> Town:
    return any_town


async def test_ownership_and_order(town: Town) -> None:
    queue, bobs_queue, room, bobs = await begun(town)
    card = await queue.sees("#1 Carla Customer")
    await asyncio.gather(queue.react(card, "✋"), bobs_queue.react(card, "✋"))
    await queue.sees("#1 is taken by ")
    await room.ask("!assign @nobody", "is not an agent of Support")
    await room.ask("!assign", "Say to whom")
    await room.ask("!take", "#1 is yours") if "alice" not in await room.owner() else None
    await room.ask("!take", "You have it already.")
    await room.agent.say(room.room, "!assign @bob")
    await bobs.sees("bob, alice gave you this conversation.")
    await bobs.ask("!unassign", "is free: anyone may take it")
    await bobs.ask("!unassign", "Nobody has it.")
    await queue.ask("!take 99", "There is no #99")
    await queue.ask("!take", "Say which")
    await queue.ask("!take 1", "#1 is yours")
    await room.ask("!tag +Billing vip", "Tags: billing, vip")
    await room.ask("!tag +a%b", "is not a valid tag")
    await room.ask("!priority now", "high, normal or low")
    await room.ask("!urgent", "#1 has high priority now.")
    await queue.react(card, "❗", "#1 has high priority already.")
    await room.ask("!priority high", "Priority: high")
    await room.ask("!subject Dark screen", "“Dark screen”")
    await room.ask("!info", "#1 Dark screen", "Contact: Carla Customer", "State: open, alice")
    await room.ask("!history", "none.")
    await room.ask("!headers", "Message-ID: <m1@customer.example>")
    await room.ask("!note Call back on Monday", "Noted")
    await room.ask("!note", "Say what to note")
    await room.ask("!contact note likes tea", "Noted. Customers never see this.")
    await room.ask("!contact", "Carla Customer", "likes tea")
    await room.ask("!help", "!reply TEXT")
    await room.ask("!list", "works in the queue room")
    await room.ask("!nonsense", "No command !nonsense")
    await queue.ask("!list mine", "#1 Dark screen", "🏷 billing, vip")
    await queue.ask("!list everything", "Say what to list")
    await queue.ask("!search monday", "1 hit", "Call back on Monday")
    await queue.ask("!search display", "1 hit", "my display stays dark")
    await queue.ask("!search", "Say what to look for")
    await queue.ask("!stats", "Support: 1 waits for an answer, 0 not taken")
    await queue.ask("!snippets", "No snippets yet")
    await queue.ask("!help list", "!list")
    await bobs_queue.ask("!away", "You are away")
    await bobs_queue.ask("!back", "back")
    assert await room.owner() == "alice"


async def test_state(town: Town) -> None:
    queue, _, room, _ = await begun(town)
    card = await queue.sees("#1 Carla Customer")
    await room.ask("!snooze", "Say")
    await room.ask("!snooze never", "Say")
    await room.ask("!snooze 2d", "Snoozed until")
    await queue.ask("!list snoozed", "#1 Case 1")
    await room.ask("!reopen", "Open again.")
    await room.ask("!reopen", "It is open already.")
    await queue.react(card, "✅")
    await queue.sees("☑️ closed")
    await room.ask("!close", "It is closed already.")
    await room.ask("!reopen", "Open again.")
    await room.ask("!close", "Closed.")
    await arrives(town, 2, In_Reply_To="<m1@customer.example>", text="It went dark again")
    await room.sees("It went dark again")
    await queue.ask("!list open", "#1 Case 1")
    await room.ask("!block gmail.com", "very many people")
    await room.ask("!spam", "Marked as spam")
    await room.ask("!spam", "It is spam already.")
    await room.ask("!reopen", "Open again.")
    await room.ask("!block", "carla@customer.example is blocked")
    await room.ask("!block", "blocked already")
    await room.ask("!unblock x@y.example", "is not blocked")
    await room.ask("!unblock carla@customer.example", "not blocked any more")


@pytest.mark.files
async def test_sending(town: Town) -> None:
    queue, _, room, _ = await begun(town, undo=1.5)
    alice = room.agent
    await room.ask("!reply", "Nothing to send")
    await room.ask("!draft", "after !draft")
    for how in ("❌", "!undo"):
        await alice.say(room.room, f"!reply stopped by {how}")
        status = await room.newest("❌ stops it")
        await (room.react(status, how) if how == "❌" else alice.say(room.room, how))
        await room.reads(status, "nothing was sent")
    command = await alice.say(room.room, "!draft Frist")
    draft = await room.sees("📝 draft")
    await alice.edit(room.room, command, "!draft First")
    await room.reads(draft, "First")
    await room.react(draft, "✅")
    await town.sent(1)
    await drafted(room, "To be discarded")
    await alice.say(room.room, "!no")
    await room.ask("!yes", "Nothing waits for that here.")
    await room.ask("!later", "Say when")
    await room.ask("!later 2d\nIt is mended.", "⏰ leaves")
    planned = await room.newest("⏰ leaves")
    await alice.say(room.room, "!undo")
    await room.reads(planned, "nothing was sent")
    file = await alice.file(room.room, "manual.pdf", b"PDF", "application/pdf")
    await room.react(file, "📎")
    await room.sees("📎 manual.pdf goes with your next email.")
    talk = await alice.say(room.room, "Dear Carla, see the manual")
    await room.react(talk, "📧")
    second = (await town.sent(2))[-1]
    assert [part.get_filename() for part in second.iter_attachments()] == ["manual.pdf"]
    await room.ask("!send", "as a reply to the message")
    await room.ask("!attach", "as a reply to a file")
    theirs = await room.sees("my display stays dark")
    await room.ask("!send", "not written by an agent", to=theirs)
    await room.ask("!cc +second@customer.example", "Cc: second@customer.example")
    await room.ask("!bcc x", "is not a valid email address")
    await room.ask("!to", "To: ")
    town.smtp.script = [Fault("rcpt", "550 5.1.1 no such user")]
    await alice.say(room.room, "!reply to nobody")
    failed = await room.sees("❌ failed: 550")
    await room.react(failed, "🔁")
    await town.sent(3)
    await room.ask("!retry", "Nothing")
    await alice.say(room.room, f"!forward {EXPERT} Can you help?")
    third = (await town.sent(4))[-1]
    assert [part.get_filename() for part in third.iter_attachments()] == ["photo.png"]
    await room.ask("!forward", "Say to whom")
    await queue.ask("!compose", "!compose ADDRESS")
    await queue.ask(f"!compose {EXPERT} Order\nDear all", "#2 is begun and yours")
    await town.sent(5)
    message = await alice.say(room.room, "Press the button")
    await room.ask("!snippet add button", "Kept: !snippet button", to=message)
    await room.ask("!snippet nope", "there are button")
    await queue.ask("!snippets button", "Press the button")
    await alice.say(room.room, "!snippet button send")
    await town.sent(6)


async def test_approval(town: Town) -> None:
    _, _, room, bobs = await begun(town, approval="four-eyes")
    await room.agent.say(room.room, "!reply Approved words")
    draft = await room.sees("🔏 waits for ✅ of another agent")
    await room.ask("!yes", "Somebody else has to approve this")
    await bobs.react(draft, "✅")
    await town.sent(1)
    await room.reads(draft, "approved by bob")
    await room.agent.say(room.room, "!reply Not approved")
    await room.sees("🔏 waits for ✅ of another agent")
    await bobs.agent.say(bobs.room, "!no")
    await room.sees("nothing was sent")
    assert len(town.smtp.accepted()) == 1


@pytest.mark.files
async def test_where_mails_belong(town: Town) -> None:
    inboxes = {name: town.inbox(name) for name in ("support", "sales")}
    inboxes["sales"]["agents"] = [f"@bob:{DOMAIN}"]
    await town.open(**inboxes)
    alice, bob = town.agents["alice"], town.agents["bob"]
    queue = Talk(alice, await alice.enter("Support queue"))
    await bob.enter("Sales queue")
    await arrives(town, subject="Lamp")
    await arrives(town, 2, subject="Re: Lamp", text="About the lamp")
    room = Talk(alice, await alice.walk_in(1))
    other = Talk(alice, await alice.walk_in(2))
    card = await queue.sees("claims to belong to #1 · 🔗 merges it")
    await room.ask("!merge", "Say with which")
    await room.ask("!merge 1", "this conversation itself")
    await queue.react(card, "🔗")
    copy = await room.sees("About the lamp")
    await other.sees("This goes on in #1")
    await other.ask("!close", "goes on in #1; nothing was done")
    await room.ask("!split", "as a reply to a mail")
    await room.ask("!split", "#3, and yours", to=copy)
    third = Talk(alice, await alice.walk_in(3))
    await third.sees("About the lamp")
    await third.ask("!contact set Dora <dora@customer.example>", "is with Dora")
    await third.ask("!merge #1 anyway", "This goes on in #1")
    await arrives(town, 4, **FORWARDED)
    fourth = Talk(alice, await alice.walk_in(4))
    await fourth.react(await fourth.sees("↪ forwarded: Emil"), "👤", "is with Emil <emil@customer")
    await alice.say(room.room, "!original")
    await room.sees("mail-")
    await room.ask("!export", "#1")
    await room.sees("conversation-1.mbox")
    await room.ask("!move nowhere@acme.example", "there are sales@acme.example")
    await room.ask("!move sales@acme.example", "Moved to Sales")
    await bob.walk_in(1, "Sales queue")
    await bob.say(room.room, "!reply Sales here")
    sent = (await town.sent(1))[-1]
    assert "sales@acme.example" in sent["From"]

    async def out() -> bool:
        return room.room not in (await alice.client.joined_rooms()).rooms

    await until(out, "Alice to be out of the moved room")
