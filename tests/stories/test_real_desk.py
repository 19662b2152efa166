"""Every command and reaction of agents on a real Synapse, with what is refused."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from bridge.chat.command import REACTIONS, TABLE
from tests.real import DOMAIN, Agent, Town
from tests.servers.smtp import Fault
from tests.stage import mail, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
EXPERT, PHOTO = "expert@vendor.example", ("photo.png", "image/png", b"PNG")


@dataclass(frozen=True)
class Talk:
    """One agent in one room, who says things and reads the answers."""

    agent: Agent
    room: str

    async def ask(self, text: str, *wanted: str, to: str = "") -> str:
        """Say a command, perhaps as a reply; its answer holds all that is `wanted`."""
        say = self.agent.reply(self.room, to, text) if to else self.agent.say(self.room, text)
        event = await say

        async def found() -> str:
            for each in await self.agent.messages(self.room):
                relation = each["content"].get("m.relates_to", {}).get("m.in_reply_to", {})
                if relation.get("event_id") == event:
                    return str(each["content"].get("body"))
            return ""

        body = await until(found, f"an answer to {text!r}", 30)
        for each in wanted:
            assert each in body, (text, body)
        return body

    async def sees(self, text: str) -> str:
        return str((await self.agent.sees(self.room, text))["event_id"])

    async def react(self, event: str, key: str) -> str:
        return await self.agent.react(self.room, event, key)


async def arrives(town: Town, number: int = 1, box: str = "support", **more: Any) -> None:
    keys = {"message_id": f"<m{number}@customer.example>", "subject": f"Case {number}",
            "to": f"{box}@acme.example", **more}  # fmt: skip
    await town.deliver(f"{box}@acme.example", mail(**keys))


async def begun(town: Town, **inbox: Any) -> tuple[Talk, Talk, Talk, Talk]:
    """(Alice and Bob in the queue, Alice and Bob in the first conversation)."""
    await town.open(support=town.inbox("support", **inbox))
    alice, bob = town.agents["alice"], town.agents["bob"]
    queue = await alice.enter("Support queue")
    await bob.enter("Support queue")
    await arrives(town, files=(PHOTO,))
    room = await alice.walk_in(1)
    await bob.join(room)
    await alice.sees(room, "my display stays dark")
    await alice.sees(room, "photo.png")
    return Talk(alice, queue), Talk(bob, queue), Talk(alice, room), Talk(bob, room)


async def test_ownership_and_order(town: Town) -> None:
    queue, bobs_queue, room, bobs = await begun(town)
    card = await queue.sees("#1 Carla Customer")
    await asyncio.gather(queue.react(card, "✋"), bobs_queue.react(card, "✋"))
    await queue.sees("#1 is taken by @")
    await room.ask("!assign @nobody", "is no agent of Support")
    await room.ask("!assign", "Say to whom")
    await room.ask("!take", "#1 is yours") if "alice" not in await owner(room) else None
    await room.ask("!take", "You have it already.")
    await room.agent.say(room.room, "!assign @bob")
    await bobs.sees(f"@bob:{DOMAIN}, @alice:{DOMAIN} gave you this conversation.")
    await bobs.ask("!unassign", "is free for whoever takes it")
    await bobs.ask("!unassign", "Nobody has it.")
    await queue.ask("!take 99", "There is no #99")
    await queue.ask("!take", "Say which")
    await queue.ask("!take 1", "#1 is yours")
    await room.ask("!tag +Billing vip", "Tags: billing, vip")
    await room.ask("!tag +a%b", "is no tag")
    await room.ask("!priority now", "high, normal or low")
    await room.ask("!priority high", "Priority: high")
    await room.ask("!subject Dark screen", "“Dark screen”")
    await room.ask("!info", "#1 Dark screen", "Contact: Carla Customer", "State: open, @alice")
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
    eve = town.agents["eve"]
    await room.agent.client.room_invite(room.room, eve.mxid)
    await eve.join(room.room)
    outsider = Talk(eve, room.room)
    for name in dict.fromkeys(spec.name for spec in TABLE if spec.room == "conversation"):
        await outsider.ask(f"!{name} 1", "Only agents of Support can do that; nothing was done.")
    for emoji, _ in REACTIONS:  # none of which means anything from them
        await outsider.react(await room.sees("my display stays dark"), emoji)
    assert await owner(room) == f"@alice:{DOMAIN}"


async def owner(talk: Talk) -> str:
    return (await talk.ask("!info")).partition("State: open, ")[2].partition("\n")[0]


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
    await room.ask("!spam", "Put away as spam")
    await room.ask("!spam", "It is spam already.")
    await room.ask("!reopen", "Open again.")
    await room.ask("!block", "carla@customer.example is blocked")
    await room.ask("!block", "blocked already")
    await room.ask("!unblock x@y.example", "is not blocked")
    await room.ask("!unblock carla@customer.example", "not blocked any more")


async def test_sending(town: Town) -> None:
    queue, _, room, _ = await begun(town, undo=1.5)
    alice = room.agent
    await room.ask("!reply", "Nothing to send")
    await room.ask("!draft", "behind !draft")
    for how in ("❌", "!undo"):
        await alice.say(room.room, f"!reply stopped by {how}")
        status = await stopped(room)
        await (room.react(status, how) if how == "❌" else alice.say(room.room, how))
        await until_text(room, status, "nothing was sent")
    command = await alice.say(room.room, "!draft Frist")
    draft = await room.sees("📝 draft")
    await alice.edit(room.room, command, "!draft First")
    await until_text(room, draft, "First")
    await room.react(draft, "✅")
    await town.sent(1)
    await alice.say(room.room, "!draft To be discarded")
    await room.sees("To be discarded")
    await until_text(room, await newest_draft(room), "To be discarded")
    await alice.say(room.room, "!no")
    await room.ask("!yes", "Nothing waits for that here.")
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
    await room.ask("!bcc x", "is no email address")
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


async def stopped(room: Talk) -> str:
    """The newest status that can be stopped."""
    return await newest(room, "❌ stops it")


async def newest_draft(room: Talk) -> str:
    return await newest(room, "📝 draft")


async def newest(room: Talk, text: str) -> str:
    """The newest message that holds a text."""

    async def found() -> str:
        for each in reversed(await room.agent.messages(room.room)):
            is_edit = each["content"].get("m.relates_to", {}).get("rel_type") == "m.replace"
            if text in str(each["content"].get("body")) and not is_edit:
                return str(each["event_id"])
        return ""

    return await until(found, f"a message with {text!r}", 20)


async def until_text(room: Talk, event: str, text: str) -> None:
    async def holds() -> bool:
        return any(each["event_id"] == event and text in str(each["content"].get("body"))
                   for each in await room.agent.messages(room.room))  # fmt: skip

    await until(holds, f"{text!r} on {event}", 20)


async def test_approval(town: Town) -> None:
    _, _, room, bobs = await begun(town, approval="four-eyes")
    await room.agent.say(room.room, "!reply Approved words")
    draft = await room.sees("🔏 waits for ✅ of another agent")
    await room.ask("!yes", "Somebody else has to approve this")
    await bobs.react(draft, "✅")
    await town.sent(1)
    await until_text(room, draft, f"approved by @bob:{DOMAIN}")
    await room.agent.say(room.room, "!reply Not approved")
    await room.sees("🔏 waits for ✅ of another agent")
    await bobs.agent.say(bobs.room, "!no")
    await town.quiet(30)
    assert len(town.smtp.accepted()) == 1


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
    await room.ask("!merge 1", "this very")
    await queue.react(card, "🔗")
    copy = await room.sees("About the lamp")
    await other.sees("This goes on in #1")
    await other.ask("!close", "goes on in #1; nothing was done")
    await room.ask("!split", "as a reply to a mail")
    await room.ask("!split", "#3, and yours", to=copy)
    third = Talk(alice, await alice.walk_in(3))
    await third.sees("About the lamp")
    await third.ask("!contact set Dora <dora@customer.example>", "is with Dora")
    await third.ask("!merge #1", "This goes on in #1")
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

    await until(out, "Alice to be out of the moved room", 20)


async def test_what_was_said_just_before_the_homeserver_died_happens_once(town: Town) -> None:
    queue, _, room, _ = await begun(town)
    said = {
        "!take": "#1 is yours.", "!tag +billing": "Tags: billing", "!note Call": "📝 Noted",
        "!priority high": "Priority: high", "!subject Dark": "The room and the next emails",
        "!contact note tea": "Noted. Customers", "!cc +b@x.example": "Cc: b@x.example",
        "!spam": "Put away as spam", "!reopen": "Open again.",
        "!block": "carla@customer.example is blocked", "!unassign": "#1 is free",
        "!unblock carla@customer.example": "carla@customer.example is not blocked any",
        "!close": "Closed. A mail",
    }  # fmt: skip
    for text in said:
        await room.agent.say(room.room, text)
    await town.synapse.kill()
    await town.synapse.start()
    await queue.sees("❗ 🏷 billing · ☑️ closed")
    await town.quiet(60)
    bodies = [str(each["content"].get("body")) for each in await room.agent.messages(room.room)]
    for text, answer in said.items():
        assert sum(each.startswith(answer) or f"\n{answer}" in each for each in bodies) == 1, (
            text, bodies,
        )  # fmt: skip
