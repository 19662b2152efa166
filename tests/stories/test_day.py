"""A day of three agents and thirty mails: what left and what the rooms say, to the byte."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.message import EmailMessage

from tests import golden
from tests.servers.matrix_state import DOMAIN, Room
from tests.stage import ALICE, BOB, SALES, SUPPORT, Stage, mail, until

DAN = f"@dan:{DOMAIN}"
EXPERT = "expert@vendor.example"
CUSTOMERS = ("carla", "dora", "emil", "fritz", "gina")
PHOTO = ("photo.png", "image/png", b"PNG")


@dataclass
class Day:
    """The stage, what was said so far, and every email that has to have left for it."""

    stage: Stage
    sent: list[tuple[str, str, str, str]] = field(default_factory=list)
    """(From, To, Subject, text) in the order in which they leave."""
    mails: int = 0

    async def mail(self, who: str, subject: str, text: str, *, to: str = SUPPORT, answers: str = "",
                   file: bool = False) -> None:  # fmt: skip
        """One of the thirty: it is in a room before the next thing happens."""
        self.mails += 1
        more = {"In_Reply_To": answers} if answers else {}
        await self.stage.mail(mail(
            text, subject=subject, to=to, message_id=f"<{self.mails}@customer.example>",
            sender=f"{who.capitalize()} <{who}@customer.example>", files=(PHOTO,) * file, **more,
        ))  # fmt: skip

        def arrived() -> bool:
            return any(text == event["content"].get("body")
                       for event in self.stage.hs.events_of(f"{who}@customer.example"))  # fmt: skip

        await until(arrived, f"{text!r} in a room")
        await self.quiet()

    async def room(self, number: int, *agents: str) -> Room:
        room = await self.stage.conversation(number)
        for agent in agents:
            if room.membership(agent) != "join":
                self.stage.hs.join(agent, room.id)
        return room

    async def says(self, who: str, room: Room, text: str, shown: str = "") -> str:
        """Say something, and wait until the room shows what follows."""
        event = self.stage.hs.say(who, room.id, text)
        await self.quiet()
        if shown:
            await self.stage.sees(room, shown)
        return event

    async def quiet(self) -> None:
        """Until everything that was asked for is done, but what sleeps."""
        await until(lambda: not self.stage.hs.pushes, "the pushes to be taken")
        await self.stage.quiet_but("wake")

    def leaves(self, agent: str, to: str, subject: str, text: str, box: str = "Support") -> None:
        """Note an email that has to have left by now."""
        address = SUPPORT if box == "Support" else SALES
        self.sent.append((f"{agent} from {box} <{address}>", to, subject, text))


def of(who: str) -> str:
    return f"{who.capitalize()} <{who}@customer.example>"


async def morning(day: Day, queue: Room) -> None:
    """Fifteen mails come; they are taken, talked about, answered."""
    stage = day.stage
    for number in range(1, 11):
        who = CUSTOMERS[(number - 1) % 5]
        await day.mail(who, f"Question {number}", f"Words of question {number}.", file=number == 1)
    for number in range(11, 14):
        await day.mail("gina", f"Offer {number}", f"Please offer item {number}.", to=SALES)
    for number, who in ((1, ALICE), (2, BOB), (3, DAN)):
        card = await stage.sees(queue, f"#{number} ")
        stage.hs.react(who, queue.id, card["event_id"], "✋")
        await day.quiet()
    first, second, third = [await day.room(n, ALICE, BOB, DAN) for n in (1, 2, 3)]
    await day.says(ALICE, first, "Has anybody seen this before?")
    await day.says(BOB, first, "Yes, it is the cable. He is nice, be quick.")
    await day.says(ALICE, first, "!reply Please change the cable.\nBest, Alice", "✅ sent")
    day.leaves("Alice", of("carla"), "Re: Question 1", "Please change the cable.\nBest, Alice")
    message = await day.says(BOB, second, "Dear Dora, it works on Tuesdays.")
    stage.hs.react(BOB, second.id, message, "📧")
    await stage.sees(second, "✅ sent")
    day.leaves("Bob", of("dora"), "Re: Question 2", "Dear Dora, it works on Tuesdays.")
    await day.mail("carla", "Re: Question 1", "The cable was it!", answers="<1@customer.example>")
    await day.mail("dora", "Re: Question 2", "It is Tuesday.", answers="<2@customer.example>")
    await day.says(DAN, third, "!snooze 2d", "Snoozed until")
    await day.says(ALICE, first, "!close", "Closed.")


async def noon(day: Day) -> None:
    """Drafts, approvals, snippets, a forward, tags and a merge."""
    stage = day.stage
    fourth, fifth, sixth = [await day.room(n, ALICE, BOB, DAN) for n in (4, 5, 6)]
    draft = await day.says(ALICE, fourth, "!draft Dear Fritz,\n\nfirst try.")
    stage.hs.edit(ALICE, fourth.id, draft, "!draft Dear Fritz,\n\nsecond try.")
    shown = await stage.sees(fourth, "second try.\n\n-- \nThe Support team")
    stage.hs.react(BOB, fourth.id, shown["event_id"], "✅")
    await stage.sees(fourth, "✅ sent")
    day.leaves("Alice", of("fritz"), "Re: Question 4", "Dear Fritz,\n\nsecond try.")
    await day.says(DAN, fifth, "!draft Never sent", "📝 draft")
    await day.says(DAN, fifth, "!no", "nothing was sent")
    await day.says(BOB, fifth, "!tag +hardware", "Tags: hardware")
    await day.says(BOB, fifth, f"!forward {EXPERT} What is this?", "✅ sent")
    day.leaves("Bob", EXPERT, "Fwd: Question 5", "What is this?")
    await day.mail("carla", "Re: Question 6", "I wrote question 6, too.")  # a claim, by its subject
    claim = await day.room(14, ALICE)
    await day.says(ALICE, claim, "!merge #6", "This goes on in #6")
    await stage.sees(sixth, "I wrote question 6, too.")
    await day.says(ALICE, sixth, "!reply Both questions: yes.", "✅ sent")
    day.leaves("Alice", of("carla"), "Re: Question 6", "Both questions: yes.")
    keep = await day.says(DAN, sixth, "Thank you for your patience.")
    stage.hs.reply(DAN, sixth.id, keep, "!snippet add patience")
    await stage.sees(sixth, "Kept: !snippet patience")
    seventh = await day.room(7, DAN)
    await day.says(DAN, seventh, "!snippet patience send", "✅ sent")
    day.leaves("Dan", of("dora"), "Re: Question 7", "Thank you for your patience.")


async def afternoon(day: Day, queue: Room) -> None:
    """Approvals in Sales, a new conversation, a move, fifteen more mails, the end."""
    stage = day.stage
    offer, eighth = await day.room(11, ALICE, BOB), await day.room(8, DAN)
    await day.says(ALICE, offer, "!reply It costs 40 €.")
    shown = await stage.sees(offer, "🔏 waits for ✅ of another agent")
    await day.says(ALICE, offer, "!yes", "Somebody else has to approve this")
    stage.hs.react(BOB, offer.id, shown["event_id"], "✅")
    await stage.sees(offer, "approved by Bob")
    day.leaves("Alice", of("gina"), "Re: Offer 11", "It costs 40 €.", "Sales")
    await day.says(BOB, queue, f"!compose {EXPERT} Spare parts\nDear expert,\n\ndo you have any?")
    await day.room(15, BOB)
    day.leaves("Bob", EXPERT, "Spare parts", "Dear expert,\n\ndo you have any?")
    await day.says(DAN, eighth, f"!move {SALES}", "Moved to Sales")
    await until(lambda: eighth.membership(DAN) == "leave", "Dan to be out of Sales")
    await day.mail("emil", "Re: Question 3", "Are you there?", answers="<3@customer.example>")
    third = await day.room(3, DAN)
    await day.says(DAN, third, "!reply I am.", "✅ sent")
    day.leaves("Dan", of("emil"), "Re: Question 3", "I am.")
    for number in range(16, 29):
        who = CUSTOMERS[number % 5]
        await day.mail(who, f"Late {number}", f"Words of late mail {number}.")
    for number in range(16, 29):
        room = await day.room(number, BOB)
        if number % 2:
            await day.says(BOB, room, f"!reply Good evening, number {number}.", "✅ sent")
            who = CUSTOMERS[number % 5]
            day.leaves("Bob", of(who), f"Re: Late {number}", f"Good evening, number {number}.")
        await day.says(BOB, room, "!close", "Closed.")


async def test_a_day_of_three_agents(stage: Stage) -> None:
    config = stage.config(agents=[ALICE, BOB, DAN], signature="The Support team", default=True)
    sales = {**config["inboxes"]["support"], "name": "Sales", "address": SALES, "default": False}
    sales |= {"agents": [ALICE, BOB], "approval": "four-eyes", "signature": ""}
    config["inboxes"]["sales"] = sales
    await stage.open(config)
    queue = await stage.queue(ALICE, BOB, DAN)
    await stage.enter("Sales queue", ALICE, BOB)
    day = Day(stage)
    await day.quiet()
    await morning(day, queue)
    await noon(day)
    await afternoon(day, queue)
    await day.quiet()
    assert day.mails == 30
    left = [_told(each) for each in await stage.sent(len(day.sent))]
    assert left == [_expected(each) for each in day.sent]
    forwarded = (await stage.sent())[3]
    assert "From: Gina <gina@customer.example>" in _text(forwarded)
    assert "be quick" not in str([entry["raw"] for entry in stage.smtp.accepted()])
    rooms = [await stage.conversation(number) for number in (1, 3, 4, 5, 6, 7, 8, 11, 14, 15)]
    told = [queue, await stage.room("Sales queue"), *rooms]
    golden.check("day.txt", "rooms", "\n\n".join(map(_shown(stage), told)))


def _text(sent: EmailMessage) -> str:
    part = sent.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def _told(sent: EmailMessage) -> tuple[str, str, str, str]:
    """(From, To, Subject, text) of an email that left; of a forward what stands above."""
    text = _text(sent).partition("\n\n---------- Forwarded message")[0]
    return str(sent["From"]), str(sent["To"]), str(sent["Subject"]), text.strip("\n")


def _expected(mail: tuple[str, str, str, str]) -> tuple[str, str, str, str]:
    sender, to, subject, text = mail
    signature = "\n\n-- \nThe Support team" if SUPPORT in sender else ""
    return sender, to, subject, f"{text}{signature}"


def _shown(stage: Stage):  # type: ignore[no-untyped-def]  # a function of a room
    def transcript(room: Room) -> str:
        """Who said what, without what differs from day to day."""
        name = room.state["m.room.name", ""]["content"]["name"]
        topic = room.state["m.room.topic", ""]["content"]["topic"]
        lines = [f"# {name}", f"({topic})"]
        for event in stage.hs.messages(room):
            who = event["sender"].partition(":")[0].removeprefix("@email_")
            body = event["content"].get("body", "").replace("\n", "\n    ")
            lines.append(f"{who}: {body}")
        text = "\n".join(lines)
        text = re.sub(r"(?:\w{3} )?\d{2} \w{3} hh:mm", "day hh:mm",
                      re.sub(r"\b\d{2}:\d{2}\b", "hh:mm", text))  # fmt: skip
        text = re.sub(r"until \w{3} hh:mm", "until day hh:mm", text)
        return re.sub(r"!room\d+|\$event\d+", "!room", text)

    return transcript
