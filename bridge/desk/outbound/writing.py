"""Composes the mail of a delivery, from the current Matrix messages and the stored mails."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import astuple

from bridge.chat import command
from bridge.chat.render import FORMAT
from bridge.config.inbox import Inbox
from bridge.desk import addresses
from bridge.desk.desk import Desk
from bridge.desk.outbound import forwarding, letterhead, quotation
from bridge.desk.outbound.relayed import replaces_ids
from bridge.mail import compose, limits
from bridge.mail.charset import clean_line
from bridge.mail.mentions import with_names
from bridge.mail.message_ids import references_for
from bridge.mail.written import from_matrix
from bridge.model import (
    ANSWER_FORMS,
    Address,
    Content,
    Delivery,
    Form,
    HomeserverError,
    Letter,
    MessageId,
    Mxid,
    Permanent,
    Refused,
    Role,
    RoomId,
    Transient,
)

MAX_FILE_BYTES = 100 * 1024 * 1024
"""Maximum bytes of one file that an agent attaches."""
MARKS = re.compile(r"[\[\]<>*`~\\|]")
SIGNATURE = re.compile(r"(?m)^\S.*\n--?[ \t]*$")
WORDING = {
    Form.REPLY: ("reply", "draft", "send", "attach", "later"),
    Form.SNIPPET: ("snippet", "draft", "reply"),
    Form.FORWARD: ("forward",),
    Form.COMPOSE: ("compose",),
    Form.AUTOMATIC: (),
}
"""The commands that a message of each form may begin with, also after an edit."""


async def outgoing(desk: Desk, inbox: Inbox, delivery: Delivery) -> compose.Outgoing:
    """The mail of a delivery, ready to be built or previewed.

    Raises Refused when it must not be sent any more: its message was removed or edited into
    something else, or its sender is no longer an agent. Raises Permanent when the mail cannot be
    composed, Transient when the homeserver does not answer.
    """
    async with desk.store.reading() as tx:
        conversation = await tx.conversations.get(delivery.conversation)
        queue = await tx.rooms.find(Role.QUEUE, delivery.inbox)
        letter = await tx.mails.letter(delivery.answers) if delivery.answers else None
        answered = await addresses.answered_at(tx, desk, inbox)
        is_first = inbox.card is not None and await letterhead.is_first(tx, inbox, delivery)
        said_in = await tx.events.get(delivery.source)
        refers_to_itself = await replaces_ids(tx, inbox)
    if conversation.room is None and conversation.contact.spec:
        raise Transient(f"the room of #{conversation.number} is not made yet", retry_after=1.0)
    if conversation.room is None or queue is None:
        raise Refused("its room is gone")
    said_room = said_in.room if said_in is not None else conversation.room
    automatic = delivery.form is Form.AUTOMATIC
    name = ""
    text, html = with_names(delivery.text, {}), ""
    if not automatic:
        if await desk.chat.membership(queue.id, delivery.agent) != "join":
            raise Refused(f"{delivery.agent} is not an agent of {inbox.name} any more")
        name = await desk.chat.display_name(queue.id, delivery.agent)
        text, html = await _said(desk, delivery, conversation.room, said_room)
    if not (text.strip() or html or delivery.files or delivery.letters):
        raise Refused("the message was emptied")
    files = [
        await _file(desk, said_room if file == delivery.source else conversation.room, file)
        for file in delivery.files
    ]
    forwarded = await forwarding.of(desk, inbox, delivery.letters)
    files += [file for each in forwarded for file in each.files]
    too_large = limits.over([(each.name, len(each.data)) for each in files], inbox.attachments)
    if too_large:
        raise Permanent(too_large)
    if is_first and inbox.card is not None:  # it counts for no limit: nobody could leave it away
        files.append(letterhead.card(inbox, inbox.card))
    reply_to = Address(inbox.reply_to) if inbox.reply_to else None
    if answered and reply_to is None:
        reply_to = Address(desk.tokens.reply_address(conversation.number, answered))
    answers = letter if delivery.form is not Form.FORWARD else None
    quoted = inbox.quote and delivery.form in ANSWER_FORMS
    to = [each.address for each in delivery.recipients]
    return compose.Outgoing(
        message_id=desk.tokens.message_id(conversation.number, delivery.id, inbox.domain),
        sender=_sender(inbox, name), to=_named(delivery, "to"), cc=_named(delivery, "cc"),
        subject=delivery.subject, at=desk.now(), text=text, html=html,
        letterhead=letterhead.of(inbox, delivery, name, text, conversation),
        in_reply_to=answers.message_id if answers else None, references=_references(answers),
        files=tuple(files), reply_to=reply_to,
        quote=await quotation.of(desk, inbox, letter, to) if quoted else None,
        forwarded=tuple(each.passage for each in forwarded),
        automatic="auto-replied" if automatic else "", refers_to_itself=refers_to_itself,
    )  # fmt: skip


def _sender(inbox: Inbox, agent: str) -> Address:
    """The From address; an automatic mail (`agent` empty) carries only the inbox's name."""
    name = inbox.sender_name.format(agent=agent, inbox=inbox.name) if agent else inbox.name
    return Address(inbox.address, name)


def _named(delivery: Delivery, field: str) -> tuple[Address, ...]:
    return tuple(each.address for each in delivery.recipients if each.field == field)


def _references(letter: Letter | None) -> tuple[MessageId, ...]:
    if letter is None:
        return ()
    return references_for(letter.message_id, letter.references)


def digest(mail: compose.Outgoing, delivery: Delivery) -> str:
    """A SHA-256 over everything that agents see of a mail, to tell whether it changed since."""
    parts = [
        str(mail.sender), mail.subject, mail.text, mail.html,
        *(part for each in astuple(mail.letterhead) for part in each),
        *(f"{each.field} {each.address}" for each in delivery.recipients),
        *(f"{each.name} {hashlib.sha256(each.data).hexdigest()}" for each in mail.files),
        *(each.text for each in mail.forwarded),
    ]  # fmt: skip
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


async def _said(desk: Desk, delivery: Delivery, room: RoomId, said_in: RoomId) -> tuple[str, str]:
    """(text, HTML) of the source message as its author last edited it. `said_in`: the room it was
    sent in; `!compose` is sent in the queue room. Raises Refused where it was removed."""
    source = await desk.chat.event(said_in, delivery.source)
    if source is None:  # a redacted event is still there
        raise Refused("the homeserver does not have the message any more")
    content = command.latest(source)
    if content is None:
        raise Refused("the message was removed")
    names: dict[str, str] = {
        each: await _name(desk, said_in, each) for each in command.named_users(content)
    }
    if delivery.requested_by != delivery.source:
        order = await desk.chat.event(room, delivery.requested_by)
        if not order or not order.get("content"):
            raise Refused("the order to send it was taken back")
    return words(desk, delivery, content, names)


async def _name(desk: Desk, room: RoomId, who: Mxid) -> str:
    """The name of a mentioned user, for a mail: on one line, and without what Markdown would read
    as a link or emphasis. No refusal of the homeserver stops the mail."""
    try:
        name = await desk.chat.display_name(room, who)
    except HomeserverError:
        name = ""
    return clean_line(MARKS.sub(" ", name), 64) or who[1:].partition(":")[0]


def words(
    desk: Desk, delivery: Delivery, content: Content, names: Mapping[str, str]
) -> tuple[str, str]:
    """(text, HTML) of a source message, without the command word; mentions become `names`. Raises
    Refused where it was edited into something else."""
    text = command.new_text(content)
    if not text and command.is_file(content):
        return "", ""
    said = desk.commands.of_text(text)
    if said is not None and said.name == "snippet" and delivery.form is Form.SNIPPET:
        return with_names(delivery.text, names), ""
    if said is not None and said.name in WORDING[delivery.form]:
        return with_names(command.body_of(said), names), ""
    if delivery.requested_by == delivery.source or said is not None:
        raise Refused("the message was edited into something else")
    formatted = content.get("formatted_body")
    is_formatted = content.get("format") == FORMAT and isinstance(formatted, str)
    # clients make a heading of "Kind regards⏎--", which is the line above a signature
    if is_formatted and not SIGNATURE.search(text):
        return from_matrix(str(formatted), names)
    return with_names(text, names), ""


async def _file(desk: Desk, room: str, event_id: str) -> compose.File:
    event = await desk.chat.event(room, event_id)  # type: ignore[arg-type]  # NewTypes of str
    content = command.latest(event) if event else None
    if content is None or not command.is_file(content):
        raise Refused("a file of it was removed")
    url = content.get("url")
    if not isinstance(url, str):
        raise Permanent("an encrypted file cannot be sent; upload it again in this room")
    name = str(content.get("filename") or content.get("body") or "file")
    info = content.get("info")
    type_ = str(info.get("mimetype", "")) if isinstance(info, dict) else ""
    shown = content.get("msgtype") == "m.image"
    return compose.File(name, type_, await desk.chat.download(url, MAX_FILE_BYTES), shown)
