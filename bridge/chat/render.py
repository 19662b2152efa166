"""Texts of the queue and of conversations: mails, cards, the summary."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Sequence

from bridge.chat.room import link
from bridge.inbox import Inbox
from bridge.mail.html import from_text
from bridge.mail.quote import Body
from bridge.mail.thread import base_subject
from bridge.model import (
    Address,
    Attachment,
    Content,
    Conversation,
    Letter,
    Mail,
    Mxid,
    Nature,
    State,
    Verdict,
)

MAX_EVENT = 55_000
"""Bytes of JSON: the homeserver refuses events over 65,536 with all their headers."""
MAX_WHOLE, MAX_SHORT = 60_000, 5_000
"""Bytes of an event's content with its edit, and characters of text where that is too much."""
MAX_CUT = 8_000
"""Characters of text shown of a mail that is too long for one event."""
FORMAT = "org.matrix.custom.html"


def text_message(body: str, formatted: str = "", *, notice: bool = False) -> Content:
    """m.text, or m.notice, which notifies nobody. Plain text always stands on its own."""
    content: Content = {"msgtype": "m.notice" if notice else "m.text", "body": body}
    if formatted:
        content |= {"format": FORMAT, "formatted_body": formatted}
    return {**content, "m.mentions": {}}


def notice(body: str) -> Content:
    return text_message(body, notice=True)


def clock(at: float, now: float) -> str:
    """`14:02`, with the day when it is another one, in the server's zone."""
    moment, today = time.localtime(at), time.localtime(now)
    if moment[:3] == today[:3]:
        return time.strftime("%H:%M", moment)
    return time.strftime("%d %b %H:%M", moment)


def size(number: int) -> str:
    """`12 kB`, `3.4 MB`."""
    if number < 1000:
        return f"{number} bytes"
    if number < 1_000_000:
        return f"{number / 1000:.0f} kB"
    return f"{number / 1_000_000:.1f} MB"


def fit(content: Content) -> Content:
    """The content, or a shorter plain one when it would be too large for an event."""
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


def mail_message(
    mail: Mail, body: Body, above: Sequence[str], mention: Mxid | None, has_files: bool
) -> tuple[Content, bool]:
    """The event of a mail, and whether its text was cut (the rest then goes as a file).

    The mail's ids stand under `app.postroom.mail` for other tools.
    """
    new = body.text.strip() or ("(only files)" if has_files else "(empty mail)")
    above = [line[:2000] for line in above]
    head = "".join(f"{line}\n" for line in above)
    plain = head + ("\n" if head else "") + new
    if body.history:
        plain += "\n\n" + "\n".join(f"> {line}" for line in body.history.splitlines())
    formatted = "".join(f"<em>{html.escape(line)}</em><br>" for line in above)
    formatted += body.html or from_text(new)
    history = body.html_history or from_text(body.history)
    if body.history or body.html_history:
        formatted += f"<details><summary>Earlier in this thread</summary>{history}</details>"
    content = text_message(plain, formatted) | {"app.postroom.mail": _ids(mail)}
    if mention is not None:
        content["m.mentions"] = {"user_ids": [mention]}
    if len(json.dumps(content)) <= MAX_EVENT:
        return content, False
    cut = f"{head}\n{new[:MAX_CUT]}\n\n[cut: the whole text is attached]"
    short = {k: v for k, v in content.items() if k not in ("format", "formatted_body")}
    return short | {"body": cut.strip()}, True


def _ids(mail: Mail) -> Content:
    return {
        "message_id": mail.message_id,
        "from": mail.sender.spec,
        "to": [address.spec for address in mail.to][:10],
        "cc": [address.spec for address in mail.cc][:10],
        "subject": mail.subject,
        "date": int(mail.date * 1000),
    }


def lines_above(
    mail: Mail, inbox: Inbox, conversation: Conversation, new_addresses: Sequence[str]
) -> list[str]:
    """What is not obvious about a mail: other recipients, a changed subject, doubts."""
    lines = []
    others = [a for a in (*mail.to, *mail.cc) if not a.is_of(inbox.own)]
    if others:
        marked = [f"{a} (new)" if a.key in new_addresses else str(a) for a in others[:20]]
        more = f" and {len(others) - 20} more" if len(others) > 20 else ""
        lines.append(f"👥 also to {', '.join(marked)}{more}")
    if mail.subject and _differs(mail.subject, conversation.subject):
        lines.append(f"Subject: {mail.subject}")
    if any(address.key != mail.sender.key for address in mail.reply_to):
        lines.append(f"⚠️ reply address differs: {people(mail.reply_to[:5])}")
    if mail.verdict is Verdict.FAIL:
        lines.append(f"⚠️ sender check failed: this may not be from {mail.sender.spec}")
    if mail.nature is not Nature.PERSON:
        kind = {Nature.BOUNCE: "a delivery report", Nature.LIST: "a mailing list"}
        lines.append(f"🤖 {kind.get(mail.nature, 'an automatic answer')}")
    if mail.problem:
        lines.append(f"⚠️ this mail could not be read whole: {mail.problem}; it is attached")
    return lines


def _differs(one: str, other: str) -> bool:
    return base_subject(one).casefold() != base_subject(other).casefold()


def file_names(attachments: Sequence[Attachment]) -> str:
    """`📎 report.pdf (2.1 MB), photo.png (12 kB)`; empty for none."""
    if not attachments:
        return ""
    shown = [f"{each.name} ({size(each.size)})" for each in attachments[:5]]
    more = f" and {len(attachments) - 5} more" if len(attachments) > 5 else ""
    return f"📎 {', '.join(shown)}{more}"


def file_message(attachment: Attachment, mxc: str, length: int) -> Content:
    """A file of a mail. Only what a client shows safely keeps its type (Client-Server API,
    media repository: types to serve inline)."""
    inline = {
        "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/apng",
        "audio/mpeg", "audio/ogg", "audio/wav", "audio/webm", "audio/aac", "audio/mp4",
        "video/mp4", "video/webm", "video/ogg",
    }  # fmt: skip
    kind = attachment.type.partition("/")[0] if attachment.type in inline else "file"
    return {
        "msgtype": f"m.{kind}",
        "body": attachment.name,
        "filename": attachment.name,
        "url": mxc,
        "info": {"mimetype": safe_type(attachment.type, inline), "size": length},
        "m.mentions": {},
    }


def safe_type(type: str, inline: set[str]) -> str:
    """HTML, SVG and scripts must never be served under their own type (threat: inline code)."""
    if type in inline or type in ("application/pdf", "text/plain", "text/calendar"):
        return type
    if type.startswith(("application/vnd.", "application/zip", "message/")):
        return type
    return "application/octet-stream"


def placeholder(attachment: Attachment, problem: str = "") -> Content:
    """Stands where a file will be."""
    what = f"{attachment.name} ({size(attachment.size)})"
    return notice(f"📎 {what}: {problem}" if problem else f"📎 {what} is being uploaded …")


def state_line(conversation: Conversation) -> str:
    """Whose turn it is, in a few words."""
    owner = f" · {conversation.assignee}" if conversation.assignee else ""
    match conversation.state:
        case State.CLOSED:
            return f"☑️ closed{owner}"
        case State.ANSWERED:
            return f"✅ answered{owner}"
        case _ if conversation.assignee:
            return f"✋ taken by {conversation.assignee}"
        case _:
            return "nobody has taken it · press ✋"


def card(conversation: Conversation, server: str) -> Content:
    """The card of a conversation in the queue room; m.text, so that it notifies."""
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
        claim = f"claims to belong to #{conversation.claim}"
        lines.append(claim)
        formatted += f"{claim}<br>"
    if conversation.follows:
        follows = f"follows #{conversation.follows}, which was closed"
        lines.append(follows)
        formatted += f"{follows}<br>"
    lines.append(state_line(conversation))
    formatted += f"<em>{html.escape(state_line(conversation))}</em>"
    if conversation.room:
        url = link(conversation.room, server)
        lines.append(url)
        formatted += f' · <a href="{html.escape(url)}">open the conversation</a>'
    return text_message("\n".join(line for line in lines if line), formatted)


def summary(
    total: int, free: int, first: Sequence[Conversation], inbox: Inbox, server: str, now: float
) -> Content:
    """The pinned list: `first` of the waiting, what nobody has taken before what is taken."""
    if not total:
        return notice(f"{inbox.name}: nobody waits for an answer ☀️")
    head = f"{inbox.name}: {total} {'waits' if total == 1 else 'wait'} for an answer"
    head += f", {free} not taken" if free else ", all taken"
    lines, rows = [head], []
    for each in first:
        since = clock(each.waiting_since or each.changed_at, now)
        label = f"#{each.number} {each.subject or '(no subject)'}"[:100]
        who = f"{each.contact.name or each.contact.spec} · since {since}"
        who += f" · {each.assignee or 'not taken'}"
        lines.append(f"{label} · {who}")
        shown = html.escape(label)
        if each.room:
            shown = f'<a href="{html.escape(link(each.room, server))}">{shown}</a>'
        rows.append(f"<li>{shown} · {html.escape(who)}</li>")
    if total > len(first):
        lines.append(f"and {total - len(first)} more")
        rows.append(f"<li>and {total - len(first)} more</li>")
    formatted = f"<strong>{html.escape(head)}</strong><ul>{''.join(rows)}</ul>"
    return text_message("\n".join(lines), formatted, notice=True)


def info(
    conversation: Conversation, inbox: Inbox, letter: Letter | None, to: Sequence[str], now: float
) -> str:
    """The answer to `!info`."""
    lines = [
        f"#{conversation.number} {conversation.subject or '(no subject)'}",
        f"Contact: {conversation.contact}",
        f"Inbox: {inbox.name} <{inbox.address}>",
        f"State: {conversation.state}, {conversation.assignee or 'taken by nobody'}",
        f"Began: {clock(conversation.created_at, now)}",
    ]
    if letter is not None:
        lines.append(f"Last mail: {clock(letter.at, now)} from {letter.sender}")
    lines.append(f"A reply goes to: {', '.join(to) or 'nobody'}")
    return "\n".join(lines)
