"""Reminds the assignee, or the queue room, when a customer waits longer than `answer_within`."""

from __future__ import annotations

from bridge.chat import render
from bridge.chat.admin import duration
from bridge.chat.room import link
from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.model import Conversation, Place, PostKey, Shows, Wanted
from bridge.ports import Tx

BATCH = 50


async def remind(desk: Desk) -> None:
    """Check every inbox that has `answer_within`, once; each wait is reminded of once."""
    for inbox in desk.settings.inboxes.values():
        if not inbox.answer_within:
            continue
        since = desk.now() - inbox.answer_within * 3600.0
        async with desk.store.transaction("told") as tx:
            for conversation in await tx.conversations.overdue(inbox.id, since, BATCH):
                await tx.conversations.update(conversation.number, reminded_at=desk.now())
                await _tell(tx, desk, inbox, conversation)


async def _tell(tx: Tx, desk: Desk, inbox: Inbox, conversation: Conversation) -> None:
    waits = duration(desk.now() - (conversation.waiting_since or desk.now()))
    who = conversation.contact.name or conversation.contact.spec
    key = PostKey.of_conversation(Shows.REMINDER, conversation.number, conversation.waiting_since)
    if conversation.assignee is not None:
        text = f"⏰ {conversation.assignee}, {who} has waited {waits} for an answer."
        content = render.text_message(text)
        content["m.mentions"] = {"user_ids": [conversation.assignee]}
        await tx.posts.put(Wanted.message(key, Place.of(conversation.number), desk.bot, content))
        return
    url = f" {link(conversation.room, desk.server_name)}" if conversation.room else ""
    subject = conversation.subject or "(no subject)"
    what = f"#{conversation.number} {subject}"
    text = f"⏰ {what}: {who} has waited {waits}, and nobody has taken it.{url}"
    content = render.text_message(text)
    await tx.posts.put(Wanted.message(key, Place.queue(inbox.id), desk.bot, content))
