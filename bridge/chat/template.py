"""Texts of `!template`."""

from __future__ import annotations

import html
from collections.abc import Mapping

from bridge.chat.render import text_message
from bridge.config.inbox import Inbox
from bridge.mail import compose
from bridge.mail.html import from_text
from bridge.mail.template import KINDS, VARIABLES
from bridge.model import Content

SHOWN = 900
"""Characters of each template that `!template show` shows: a message holds about 5,000."""


def shown(name: str, own: Mapping[str, str], shared: Mapping[str, object], domain: str) -> Content:
    """Each template of an inbox or domain in full, or that of the inbox's domain."""
    lines, formatted = [], []
    for kind, where in KINDS.items():
        text = own.get(kind) or str(shared.get(kind) or "")
        whose = f" (of {domain})" if text and kind not in own else ""
        if len(text) > SHOWN:
            text = f"{text[:SHOWN]} … ({len(text):,} characters)"
        lines.append(f"{kind}, {where}{whose}: {text or 'none'}")
        quoted = f"<pre><code>{html.escape(text)}</code></pre>" if text else " none"
        formatted.append(f"<p><strong>{kind}</strong>, {where}{whose}:{quoted}</p>")
    names = ", ".join(VARIABLES)
    more = f'Variables: {names}; a fallback as in {{{{ contact.first_name or "there" }}}}.'
    body = "\n".join((f"Templates of {name}", *lines, more))
    page = "".join((f"<p>Templates of {name}</p>", *formatted, f"<p>{from_text(more)}</p>"))
    return text_message(body, page, notice=True)


def changed(name: str, kind: str, *, cleared: bool, more: str) -> str:
    """What is said of a template that was set or taken away."""
    return f"The {kind} of {name} is {'taken away' if cleared else 'set'}. {more}".strip()


def preview(inbox: Inbox, mail: compose.Outgoing, link: str, caption: str) -> Content:
    """A sample mail in its room: head, text, and the link to its page."""
    head = [
        f"What a mail of {inbox.name} looks like; it is not sent.",
        f"From: {mail.sender}", f"Subject: {mail.subject}",
        *(f"Files: {file.name}" for file in mail.files), *([caption] if caption else []),
        *([f"With its formatting, for a day: {link}"] if link else []),
    ]  # fmt: skip
    text = compose.plain(mail)
    body = "\n".join((*head, "", text))
    formatted = "<br>".join(map(from_text, head)) + f"<blockquote>{from_text(text)}</blockquote>"
    return text_message(body, formatted, notice=True)
