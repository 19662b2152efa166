"""Shows a mail in its room: its text, sent by the ghost of its sender, and its files."""

from __future__ import annotations

from dataclasses import replace

from bridge.chat import file_event, mail_event
from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.desk.inbound import overflow
from bridge.desk.inbound.arrival import Arrival
from bridge.desk.rooms import picture
from bridge.desk.triage import contact
from bridge.mail import author
from bridge.model import (
    Attachment,
    Conversation,
    Letter,
    MailId,
    Place,
    PostKey,
    SenderKind,
    Shows,
    State,
    Wanted,
)
from bridge.model.mail import WHOLE_MAIL, WHOLE_TEXT
from bridge.ports import Tx

SLOW = 2_000_000
"""Bytes from which a file gets a placeholder message while it is uploaded."""


async def show(
    tx: Tx, desk: Desk, inbox: Inbox, conversation: Conversation, arrival: Arrival, letter: Letter
) -> None:
    """Request the posts of the mail's text, sent by its sender's ghost, then of its files."""
    mail, body, number = arrival.mail, arrival.body, conversation.number
    beyond = conversation.is_overflow
    person = author.author(mail.sender, mail.reply_to, desk.own_addresses)
    if person.domain == "invalid":  # one of our own addresses: show the sender as it is
        person = mail.sender
    ghost = desk.bot if beyond else await picture.join_contact_ghost(tx, desk, number, person)
    room, shown = Place.of(number), PostKey.of_mail(Shows.MAIL, letter.id)
    agents = [mxid[1:].partition(":")[0] for mxid in await tx.rooms.agents(inbox.id)]
    ours = (*(each.name for each in desk.settings.inboxes.values()), *agents)
    named = replace(mail, to=(), cc=()) if arrival.is_ours else mail
    above = mail_event.lines_above(
        named, inbox, conversation, letter.new_addresses, ours, person, letter.forwarded
    )  # fmt: skip
    if arrival.spam:
        above = [f"{mail_event.SPAM} ({arrival.spam})", *above]
    if arrival.by_hand_to is not None:
        above = [mail_event.by_hand(mail, proven=arrival.is_ours), *above]
    if beyond:
        above = [overflow.line(mail, desk.settings.command_prefix), *above]
    matters = mail.sender_kind is SenderKind.PERSON and conversation.state is not State.SPAM
    matters = matters and not arrival.is_ours
    mention = conversation.assignee if matters else None
    content, too_long = mail_event.content(mail, body, above, mention)
    if arrival.is_ours:  # whoever sent it knows of it
        content["msgtype"] = "m.notice"
    await tx.posts.put(Wanted.message(shown, room, ghost, content))
    if letter.forwarded is not None and not beyond:
        await contact.offer(tx, desk, number, shown)
    files = list(mail.attachments)
    if too_long:
        whole = len((body.whole or mail.text).encode())
        files.append(Attachment(WHOLE_TEXT, "whole text.txt", "text/plain", whole))
    if mail.problem and arrival.too_large is None:
        files.append(Attachment(WHOLE_MAIL, "original.eml", "message/rfc822", 0))
    for file in files:
        key = PostKey.of_mail(Shows.FILE, letter.id, file.part)
        wanted = Wanted.message(key, room, ghost, file_event.placeholder(file))
        await tx.posts.put(replace(wanted, is_deferred=file.size < SLOW))
        await tx.posts.add_file(key, arrival.raw_id, file)


async def mention(tx: Tx, before: Conversation, after: Conversation, mail_id: MailId) -> None:
    """Mention the agent to whom a rule assigned the conversation, in the mail's unsent post."""
    post = await tx.posts.by_key(PostKey.of_mail(Shows.MAIL, mail_id))
    if after.assignee == before.assignee or after.assignee is None or post is None:
        return
    content = {**post.content, "m.mentions": {"user_ids": [after.assignee]}}
    await tx.posts.put(Wanted.message(post.key, post.place, post.sender, content))
