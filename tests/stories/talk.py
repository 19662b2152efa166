"""One agent in one room of the town: what they say, what they are answered, what they tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from bridge.desk.events.commands import ALL, REACTIONS
from bridge.model import Shows
from tests.real import Agent, Town
from tests.servers.smtp import Fault
from tests.stage import mail, until

EXPERT = "expert@vendor.example"
GOES_ON = "This conversation goes on in #1; nothing was done here."
PHOTO = ("photo.png", "image/png", b"PNG")
FORWARDED = {
    "sender": "Bob <bob@acme.example>",
    "subject": "Fwd: Lamp",
    "text": "From: Emil <emil@customer.example>\nDate: today\nSubject: Lamp\n\nMy lamp, too.",
}
"""A colleague's mail that forwards a customer's."""
CONTROL = ("snippet", "rule", "report")
"""What of the control room is about the work of agents; an admin's inboxes have stories of their
own."""
REACTED = {
    f"{'queue' if each.on is Shows.CARD else 'conversation'} {each.emoji}" for each in REACTIONS
}
EVERYTHING = REACTED | {
    f"{spec.room} !{spec.word}" for spec in ALL if spec.room != "control" or spec.word in CONTROL
}


def named(room: str) -> list[str]:
    """The commands of a kind of room."""
    return list(dict.fromkeys(spec.word for spec in ALL if spec.room == room))


@dataclass(frozen=True)
class Talk:
    """One agent in one room, who says things and reads the answers."""

    agent: Agent
    room: str
    kind: str = "conversation"
    tried: set[str] = field(default_factory=set)
    """What was said and reacted here, like `queue !take` and `conversation 📧`; a story hands one
    set to all its talks."""

    async def say(self, text: str, to: str = "") -> str:
        """Say something, perhaps as a reply; returns the event."""
        if text.startswith("!"):
            self.tried.add(f"{self.kind} {text.split()[0]}")
        if to:
            return await self.agent.reply(self.room, to, text)
        return await self.agent.say(self.room, text)

    async def ask(self, text: str, *wanted: str, to: str = "") -> str:
        """Say a command, perhaps as a reply; its answer holds all that is `wanted`."""
        return await self.told(await self.say(text, to), text, *wanted)

    async def told(self, event: str, what: str, *wanted: str) -> str:
        """Wait for the answer to something said or reacted, which holds all that is `wanted`, as it
        is or as it was before an edit."""

        async def found() -> tuple[str, str] | None:
            for each in await self.agent.messages(self.room):
                relation = each["content"].get("m.relates_to", {}).get("m.in_reply_to", {})
                if relation.get("event_id") == event:
                    return str(each["content"].get("body")), each.get("said_first", "")
            return None

        body, before = await until(found, f"an answer to {what!r}", 30)
        for each in wanted:
            assert each in body or each in before, (what, body)
        return body

    async def react(self, event: str, key: str, *wanted: str) -> str:
        """React; where something is `wanted`, wait for the answer, which holds it."""
        self.tried.add(f"{self.kind} {key}")
        reaction = await self.agent.react(self.room, event, key)
        if wanted:
            await self.told(reaction, key, *wanted)
        return reaction

    async def sees(self, text: str) -> str:
        return str((await self.agent.sees(self.room, text))["event_id"])

    async def bodies(self) -> list[str]:
        messages = await self.agent.messages(self.room)
        return [str(each["content"].get("body")) for each in messages if not is_edit(each)]

    async def owner(self) -> str:
        return (await self.ask("!info")).partition("State: open, ")[2].partition("\n")[0]

    async def newest(self, text: str) -> str:
        """The newest message that holds a text."""

        async def found() -> str:
            for each in reversed(await self.agent.messages(self.room)):
                if text in str(each["content"].get("body")) and not is_edit(each):
                    return str(each["event_id"])
            return ""

        return await until(found, f"a message with {text!r}")

    async def reads(self, event: str, text: str) -> None:
        """Wait until a message holds a text."""

        async def holds() -> bool:
            return any(each["event_id"] == event and text in str(each["content"].get("body"))
                       for each in await self.agent.messages(self.room))  # fmt: skip

        await until(holds, f"{text!r} on {event}")


def is_edit(event: Mapping[str, Any]) -> bool:
    return event["content"].get("m.relates_to", {}).get("rel_type") == "m.replace"


def complete(tried: set[str], never: Mapping[str, str]) -> None:
    """Each command and reaction was tried, or is one of those `never` gives a reason for."""
    assert tried.isdisjoint(never), tried & set(never)
    assert set(never) <= EVERYTHING, set(never) - EVERYTHING
    assert tried | set(never) >= EVERYTHING, EVERYTHING - tried - set(never)


async def arrives(town: Town, number: int = 1, box: str = "support", **more: Any) -> None:
    keys = {"message_id": f"<m{number}@customer.example>", "subject": f"Case {number}",
            "to": f"{box}@acme.example", **more}  # fmt: skip
    await town.deliver(f"{box}@acme.example", mail(**keys))


async def begun(town: Town, **inbox: Any) -> tuple[Talk, Talk, Talk, Talk]:
    """(Alice and Bob in the queue, Alice and Bob in the first conversation)."""
    await town.open(support=town.inbox("support", **inbox))
    return await inside(town)


async def inside(town: Town) -> tuple[Talk, Talk, Talk, Talk]:
    """As `begun`, where the bridge runs already."""
    alice, bob = town.agents["alice"], town.agents["bob"]
    queue = await alice.enter("Support queue")
    await bob.enter("Support queue")
    await arrives(town, files=(PHOTO,))
    room = await alice.walk_in(1)
    await bob.join(room)
    await alice.sees(room, "my display stays dark")
    await alice.sees(room, "photo.png")
    tried: set[str] = set()
    return (
        Talk(alice, queue, "queue", tried), Talk(bob, queue, "queue", tried),
        Talk(alice, room, tried=tried), Talk(bob, room, tried=tried),
    )  # fmt: skip


async def failed(town: Town, room: Talk, text: str) -> str:
    """The status of a reply that the server refused."""
    town.smtp.script = [*town.smtp.script, Fault("rcpt", "550 5.1.1 no such user")]
    command = await room.say(f"!reply {text}")
    status = await status_of(room, command)
    await room.reads(status, "❌ failed: 550")
    return status


async def status_of(room: Talk, command: str) -> str:
    """The message that answers a command which made a mail or a draft."""
    await room.told(command, "a mail ordered")
    for each in await room.agent.messages(room.room):
        relation = each["content"].get("m.relates_to", {}).get("m.in_reply_to", {})
        if relation.get("event_id") == command:
            return str(each["event_id"])
    raise AssertionError(command)


async def drafted(room: Talk, text: str) -> str:
    """The preview of a draft, ready for a yes."""
    draft = await status_of(room, await room.say(f"!draft {text}"))
    await room.reads(draft, text)
    return draft


def first_line(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).splitlines()[0]
