"""The steps of the demo's story. An interrupted step can be run again, as it sends its mails and
events with the same ids."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from email.utils import formatdate
from typing import Any

import aiosmtplib

from bridge.demo.world import CUSTOMER, SERVER, SUPPORT, World

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjm"
    "AAAAAElFTkSuQmCC"
)
MANUAL = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
FIRST_ID = "<order-4711@customer.example>"
SUBJECT = "Display of order 4711 stays dark"


async def customer_writes(world: World) -> str:
    """Carla writes to support@ and attaches a picture."""
    await _post(world, FIRST_ID, SUBJECT, (
        "Hello,\n\nthe display I ordered stays dark. A photo is attached.\n\nKind regards\nCarla\n"
    ), picture=True)  # fmt: skip
    return f"{CUSTOMER} writes to {SUPPORT} and attaches photo.png"


async def card_appears(world: World) -> str:
    """The queue room of Support shows a card."""
    alice = world.people["alice"]
    queue = await alice.room("Support queue")
    card = await alice.see(queue, "the card", lambda e: _body(e).startswith("#1 "))
    world.remember(queue=queue, card=card["event_id"])
    return "in Support queue: " + " / ".join(_body(card).splitlines()[:2])


async def agent_takes_it(world: World) -> str:
    """Alice presses ✋ on the card, and joins the conversation's room."""
    alice, queue = world.people["alice"], world.state["queue"]
    try:
        await alice.react(queue, world.state["card"], "✋", "demo-take")
    except RuntimeError as error:
        if "M_DUPLICATE_ANNOTATION" not in str(error):
            raise
    await alice.see(queue, "the card to say who took it", lambda e: "taken by alice" in _body(e))
    await alice.room("Support")  # the space, which lists the conversations
    room = await alice.room(f"#1 {SUBJECT}")
    world.remember(room=room)
    await alice.see(room, "the mail", lambda e: "stays dark. A photo" in _body(e))
    picture = await alice.see(
        room, "the picture", lambda e: _content(e).get("msgtype") == "m.image"
    )
    if await alice.download(_content(picture)["url"]) != PICTURE:
        raise RuntimeError("the picture in the room is not the one Carla sent")
    return f"alice presses ✋, enters the room, sees text and {_body(picture)}"


async def agents_talk(world: World) -> str:
    """Bob joins from the space; the messages of both stay in the room."""
    alice, bob, room = world.people["alice"], world.people["bob"], world.state["room"]
    await bob.room("Support queue")
    await bob.join(room, SERVER)
    await bob.say(room, "INTERNAL: this batch has loose cables, we know that", "demo-talk-1")
    await alice.say(room, "INTERNAL: then I send her the manual", "demo-talk-2")
    return "alice and bob talk in the room; nothing of it leaves"


async def agent_replies(world: World) -> str:
    """Alice sends an email with `!reply`."""
    alice, room = world.people["alice"], world.state["room"]
    text = "!reply Hello Carla,\n\nplease press the cable **firmly** into its socket."
    event = await alice.say(room, text, "demo-reply")
    await _delivered(world, event)
    raw = await _arrived(world, lambda m: "firmly" in _text(m))
    if raw["In-Reply-To"] != FIRST_ID:
        raise RuntimeError(f"the reply answers {raw['In-Reply-To']}, not {FIRST_ID}")
    world.remember(reply_id=raw["Message-ID"])
    return f"alice says !reply; {CUSTOMER} gets “{raw['Subject']}” from {raw['From']}"


async def agent_sends_file(world: World) -> str:
    """Alice sends a file by email with 📧."""
    alice, room = world.people["alice"], world.state["room"]
    mxc = world.state.get("manual")
    if mxc is None:
        mxc = await alice.upload("manual.pdf", "application/pdf", MANUAL)
        world.remember(manual=mxc)
    file = {"msgtype": "m.file", "body": "manual.pdf", "filename": "manual.pdf", "url": mxc,
            "info": {"mimetype": "application/pdf", "size": len(MANUAL)}}  # fmt: skip
    event = await alice.send(room, file, "demo-file")
    try:
        await alice.react(room, event, "📧", "demo-mail-file")
    except RuntimeError as error:
        if "M_DUPLICATE_ANNOTATION" not in str(error):
            raise
    await _delivered(world, event)
    mail = await _arrived(world, lambda m: bool(list(m.iter_attachments())))
    attached = next(iter(mail.iter_attachments()))
    if attached.get_content() != MANUAL:
        raise RuntimeError("the file that arrived is not the one alice sent")
    return f"alice reacts with 📧 on her file; {CUSTOMER} gets {attached.get_filename()}"


async def customer_answers(world: World) -> str:
    """Carla answers by email; it lands in the same room."""
    alice, room = world.people["alice"], world.state["room"]
    await _post(world, "<thanks-4711@customer.example>", f"Re: {SUBJECT}", (
        f"That helped, thank you!\n\nOn Monday alice from Support <{SUPPORT}> wrote:\n"
        "> Hello Carla,\n>\n> please press the cable firmly into its socket.\n"
    ), answers=world.state["reply_id"])  # fmt: skip
    mail = await alice.see(room, "the answer", lambda e: "That helped" in _body(e))
    above, _, folded = _content(mail).get("formatted_body", "").partition("<details>")
    if "wrote:" in above or "firmly" not in folded:
        raise RuntimeError(f"the history of the answer is not folded: {_content(mail)}")
    return f"{CUSTOMER} answers; it is in the same room, history folded"


async def nothing_leaked(world: World) -> str:
    """Check that no internal message of the room is in any mail."""
    accepted = world.smtp.accepted()
    for entry in accepted:
        if b"INTERNAL" in entry["raw"]:
            raise RuntimeError("internal talk left as email")
    ours = [entry for entry in accepted if entry["from"] == SUPPORT]
    if len(ours) != 2:
        raise RuntimeError(f"{len(ours)} mails left instead of 2")
    return "two mails left, the talk stayed"


STORY: tuple[tuple[str, Callable[[World], Awaitable[str]]], ...] = (
    ("customer writes", customer_writes),
    ("card appears", card_appears),
    ("agent takes it", agent_takes_it),
    ("agents talk", agents_talk),
    ("agent replies", agent_replies),
    ("agent sends a file", agent_sends_file),
    ("customer answers", customer_answers),
    ("nothing leaked", nothing_leaked),
)


async def _post(
    world: World,
    message_id: str,
    subject: str,
    text: str,
    *,
    answers: str = "",
    picture: bool = False,
) -> None:
    """Send a mail as the customer by SMTP; a repeat sends the same bytes."""
    key = f"sent {message_id}"
    if key not in world.state:
        world.remember(**{key: time.time()})
    message = EmailMessage(policy=default.clone(linesep="\r\n"))
    message["From"] = f"Carla Customer <{CUSTOMER}>"
    message["To"] = SUPPORT
    message["Subject"] = subject
    message["Date"] = formatdate(world.state[key])
    message["Message-ID"] = message_id
    if answers:
        message["In-Reply-To"] = message["References"] = answers
    message.set_content(text)
    if picture:
        message.add_attachment(PICTURE, maintype="image", subtype="png", filename="photo.png")
        message.set_boundary("demo-boundary")
    await aiosmtplib.send(
        message.as_bytes(), sender=CUSTOMER, recipients=[SUPPORT], hostname="127.0.0.1",
        port=world.state["ports"]["smtp"], start_tls=False, timeout=10,
    )  # fmt: skip


async def _delivered(world: World, event: str) -> None:
    """Wait until the status of a message says that it was sent."""

    def tells(seen: dict[str, Any]) -> bool:
        reply = _content(seen).get("m.relates_to", {}).get("m.in_reply_to", {})
        body = _body(seen)
        if reply.get("event_id") == event and body.startswith("❌"):
            raise RuntimeError(body)
        return body.startswith("✅ sent")

    alice = world.people["alice"]
    await alice.see(world.state["room"], "“✅ sent”", tells)


async def _arrived(world: World, wanted: Callable[[EmailMessage], bool]) -> EmailMessage:
    """Wait for a mail from us in the mail server's journal."""
    for _ in range(100):
        for entry in world.smtp.accepted():
            message = BytesParser(policy=default).parsebytes(entry["raw"])
            if entry["from"] == SUPPORT and wanted(message):
                return message
        await asyncio.sleep(0.1)
    raise TimeoutError("the mail did not reach the customer's server")


def _text(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""


def _content(event: dict[str, Any]) -> dict[str, Any]:
    content = event.get("content")
    return content if isinstance(content, dict) else {}


def _body(event: dict[str, Any]) -> str:
    return str(_content(event).get("body", ""))
