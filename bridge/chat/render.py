"""Texts in queue and conversation rooms: messages, cards, `!info`."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Sequence

from bridge.chat.room import link
from bridge.config.inbox import Inbox
from bridge.mail.html import from_text
from bridge.model import Address, Content, Conversation, Letter, Priority, State

MAX_WHOLE, MAX_SHORT = 60_000, 5_000
"""Maximum bytes of an event's content with its edit (the homeserver refuses events over 65,536
bytes in total), and the characters of text kept if the content is larger."""
FORMAT = "org.matrix.custom.html"
QUOTES = "app.postroom.shown"
"""The key of a content that quotes a mail to the letter, so that no name is put into it."""


def text_message(body: str, formatted: str = "", *, notice: bool = False) -> Content:
    """An m.text, or an m.notice, which notifies nobody. `body` is complete without `formatted`."""
    content: Content = {"msgtype": "m.notice" if notice else "m.text", "body": body}
    if formatted:
        content |= {"format": FORMAT, "formatted_body": formatted}
    return {**content, "m.mentions": {}}


def notice(body: str) -> Content:
    return text_message(body, notice=True)


def joined(contents: Sequence[Content]) -> Content:
    """One notice with the texts of several messages, below each other."""
    formatted = (
        str(each.get("formatted_body") or from_text(str(each["body"]))) for each in contents
    )
    body = "\n\n".join(str(each["body"]) for each in contents)
    return text_message(body, "<br><br>".join(formatted), notice=True)


def on_behalf(content: Content, name: str) -> Content:
    """A message with a name in front, for somebody who cannot send it. That of a file becomes its
    caption (Client-Server API v1.10, media captions)."""
    said = {**content, "body": f"{name}:\n{content['body']}"}
    if "url" in content:
        said["filename"] = content.get("filename", content["body"])
        said["body"] = f"{name}: {content['body']}"
    if "formatted_body" in content:
        said["formatted_body"] = f"<p><b>{html.escape(name)}</b></p>{content['formatted_body']}"
    return said


def clock(at: float, now: float) -> str:
    """`14:02` in the server's time zone, with the date if it is not today."""
    moment, today = time.localtime(at), time.localtime(now)
    if moment[:3] == today[:3]:
        return time.strftime("%H:%M", moment)
    return time.strftime("%d %b %H:%M", moment)


def fit(content: Content) -> Content:
    """The content, or a shorter one in plain text if it is too large for an event."""
    if len(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")) <= MAX_WHOLE:
        return content
    short = {k: v for k, v in content.items() if k not in ("format", "formatted_body")}
    short.pop("app.postroom.mail", None)
    short["body"] = f"{str(content.get('body', ''))[:MAX_SHORT]} …"
    if isinstance(content.get("m.new_content"), dict):
        short["m.new_content"] = {
            **{k: v for k, v in content["m.new_content"].items()
               if k not in ("format", "formatted_body")},
            "body": short["body"].removeprefix("* "),
        }  # fmt: skip
    return short


def people(addresses: Sequence[Address]) -> str:
    return ", ".join(str(address) for address in addresses)


def state_line(conversation: Conversation) -> str:
    """The state of a conversation in a few words."""
    owner = f" · {conversation.assignee}" if conversation.assignee else ""
    if conversation.merged is not None:
        return f"➡️ goes on in #{conversation.merged}"
    match conversation.state:
        case State.CLOSED:
            return f"☑️ closed{owner}"
        case State.SPAM:
            return f"🗑 spam{owner}"
        case State.ANSWERED:
            return f"✅ answered{owner}"
        case State.SNOOZED:
            until = time.strftime("%a %d %b %H:%M", time.localtime(conversation.snoozed_until or 0))
            return f"💤 snoozed until {until}{owner}"
        case _ if conversation.assignee:
            return f"✋ taken by {conversation.assignee}"
        case _:
            return "nobody has taken it · press ✋"


def marks(conversation: Conversation) -> str:
    """`❗ 🏷 billing, vip`: the priority and tags; empty if there are none."""
    parts = ["❗"] if conversation.priority is Priority.HIGH else []
    parts += ["🔽"] if conversation.priority is Priority.LOW else []
    if conversation.tags:
        parts.append(f"🏷 {', '.join(conversation.tags)}")
    return " ".join(parts)


def card(
    conversation: Conversation, server: str, claimed: Address | None = None, *, quiet: bool = False
) -> Content:
    """The card of a conversation in the queue room: an m.text, so that clients notify, unless it is
    `quiet`. `claimed`: the contact of the conversation it claims to belong to, if another one."""
    number, subject = conversation.number, conversation.subject or "(no subject)"
    lines = [f"#{number} {conversation.contact}", subject, "", conversation.preview]
    formatted = (
        f"<strong>#{number}</strong> {html.escape(str(conversation.contact))}<br>"
        f"<strong>{html.escape(subject)}</strong>"
    )
    if conversation.preview:
        formatted += f"<blockquote>{from_text(conversation.preview)}</blockquote>"
    else:
        formatted += "<br>"
    if conversation.files:
        lines.append(conversation.files)
        formatted += f"{html.escape(conversation.files)}<br>"
    if conversation.claim:
        whose = f", which is with {claimed}" if claimed is not None else ""
        claim = f"claims to belong to #{conversation.claim}{whose} · 🔗 merges it with that"
        lines.append(claim)
        formatted += f"{html.escape(claim)}<br>"
    if conversation.follows:
        follows = f"follows #{conversation.follows}, which was closed"
        lines.append(follows)
        formatted += f"{follows}<br>"
    line = " · ".join(part for part in (marks(conversation), state_line(conversation)) if part)
    lines.append(line)
    formatted += f"<em>{html.escape(line)}</em>"
    if conversation.room:
        url = link(conversation.room, server)
        lines.append(url)
        formatted += f' · <a href="{html.escape(url)}">open the conversation</a>'
    body = "\n".join(line for line in lines if line)
    return text_message(body, formatted, notice=quiet)


def info(
    conversation: Conversation, inbox: Inbox, letter: Letter | None, to: Sequence[str], now: float
) -> str:
    """The answer to `!info`."""
    lines = [
        f"#{conversation.number} {conversation.subject or '(no subject)'}",
        f"Contact: {conversation.contact}",
        f"Inbox: {inbox.name} <{inbox.address}>",
        f"State: {conversation.state}, {conversation.assignee or 'not taken'}",
        f"Began: {clock(conversation.created_at, now)}",
    ]
    if conversation.department:
        lines.insert(3, f"Department: {conversation.department}")
    if letter is not None:
        lines.append(f"Last mail: {clock(letter.at, now)} from {letter.sender}")
        others = [each for each in (*letter.to, *letter.cc) if not each.is_of(inbox.own)]
        if others:
            lines.append(f"It also went to: {people(others[:100])}")
    if conversation.merged is not None:
        return "\n".join([*lines, f"Goes on in #{conversation.merged}"])
    lines.append(f"Next email: {' · '.join(to) or 'to nobody'}")
    return "\n".join(lines)
