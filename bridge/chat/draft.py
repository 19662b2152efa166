"""The preview of an unsent mail in its room: the whole mail, and the possible reactions."""

from __future__ import annotations

import html

from bridge.chat.render import text_message
from bridge.chat.status import by_field, whom
from bridge.mail import compose
from bridge.mail.html import from_text
from bridge.mail.limits import size
from bridge.model import Content, Delivery, DeliveryState

LONGEST = 12_000
"""Maximum characters of a mail's text in the preview."""


def ask(delivery: Delivery, approval: str) -> str:
    """The line that says which reactions a preview waits for."""
    if delivery.state is DeliveryState.APPROVING:
        who = "a lead" if approval == "leads" else "another agent"
        return f"🔏 waits for ✅ of {who} · ❌ discards it (!yes, !no)"
    how = "✅ sends it · ❌ discards it (!yes, !no) · an edit of your message changes it"
    return f"📝 draft · {how}"


def preview(
    delivery: Delivery, mail: compose.Outgoing, asks: str, question: str, link: str
) -> Content:
    """The mail as it would be sent: header fields, text with signature, names of files. `asks` is
    the line of `ask`."""
    head = [("From", str(mail.sender))]
    head += [(field.capitalize(), specs) for field, specs in by_field(delivery)]
    if mail.reply_to is not None:
        head.append(("Answers go to", str(mail.reply_to)))
    head.append(("Subject", mail.subject))
    if mail.files:
        named = ", ".join(f"{each.name} ({size(len(each.data))})" for each in mail.files)
        head.append(("Files", named))
    text = compose.plain(mail)
    if (more := len(text) - LONGEST) > 0:
        how = "the link shows all" if link else "public_url in config.yaml lets a link show all"
        text = f"{text[:LONGEST]} …\n\n⚠️ {more} more characters leave, too; {how}"
    lines = [asks]
    lines += [f"❔ {question}"] * bool(question) + [f"({delivery.detail})"] * bool(delivery.detail)
    lines += [f"{key}: {value}" for key, value in head]
    shown = "<br>".join(
        [html.escape(line) for line in lines[: -len(head)]]
        + [f"{key}: {html.escape(value)}" for key, value in head]
    )
    formatted = f"{shown}<blockquote>{from_text(text)}</blockquote>"
    body = "\n".join((*lines, "", text))
    if link:
        body += f"\n\nWith its formatting: {link}"
        formatted += f'<a href="{html.escape(link)}">with its formatting</a>'
    return text_message(body, formatted, notice=delivery.state is DeliveryState.DRAFT)


def problem(delivery: Delivery, what: str) -> Content:
    """Replaces the preview of a mail that cannot be built; `what` is the fault."""
    what = what.rstrip(".")
    return text_message(
        f"⚠️ This draft cannot be sent as it is: {what} · ❌ discards it → {whom(delivery)}",
        notice=True,
    )
