"""The event content that shows a mail in its room."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence

from bridge.chat.render import people, text_message
from bridge.config.inbox import Inbox
from bridge.mail import calendar, trust
from bridge.mail.html import text_to_matrix
from bridge.mail.quote import Body
from bridge.mail.thread import base_subject
from bridge.model import Address, Content, Conversation, Mail, Mxid, SenderKind, Verdict

MAX_EVENT = 55_000
"""Maximum bytes of JSON: the homeserver refuses events over 65,536 bytes in total."""
NAMED = 3
"""Other recipients that the line above a mail names; `!info` names all."""
MAX_CUT = 8_000
"""Characters shown of the text of a mail that is too long for one event."""
EARLIER, SIGNATURE = "Earlier in this thread", "Signature"
FORWARDED = "↪ forwarded: "
SPAM = "🚮 your mail server calls this spam"
MACHINES = {
    SenderKind.BOUNCE: "delivery report",
    SenderKind.LIST: "mailing list",
    SenderKind.RECEIPT: "receipt",
    SenderKind.AUTOMATIC: "automatic mail",
}
REST_ATTACHED = "[cut: the whole text is attached]"
HISTORY_ATTACHED = "[what was written earlier is attached]"


def content(
    mail: Mail, body: Body, above: Sequence[str], mention: Mxid | None
) -> tuple[Content, bool]:
    """The event of a mail, and whether its text was cut (the whole text is then posted as a file).

    New text is shown and the quoted history is folded; an automatic mail is folded as a whole. The
    mail's ids are under `app.postroom.mail` for other tools.
    """
    above = [line[:2000] for line in above]
    new = body.text.strip()
    if not new and not mail.notes:
        new = "(only files)" if mail.attachments else "(empty mail)"
    extra: Content = {"app.postroom.mail": _ids(mail)}
    if mention is not None:
        extra["m.mentions"] = {"user_ids": [mention]}
    whole = _content(mail, body, above, new) | extra
    if _fits(whole):
        return whole, False
    if body.history:
        short = Body(body.text, "", body.html, "")
        newest = _content(mail, short, [*above, HISTORY_ATTACHED], new) | extra
        if _fits(newest):
            return newest, True
    head = "".join(f"{line}\n" for line in above)
    cut = f"{head}\n{new[:MAX_CUT]}\n\n{REST_ATTACHED}".strip()
    return text_message(cut) | extra, True


def _fits(content: Content) -> bool:
    return len(json.dumps(content, ensure_ascii=False).encode()) <= MAX_EVENT


def _content(mail: Mail, body: Body, above: Sequence[str], new: str) -> Content:
    plain = "".join(f"{line}\n" for line in above)
    notes = "<br>".join(f"<em>{html.escape(line)}</em>" for line in above)
    formatted = f"<p>{notes}</p>" if notes else ""
    shown = body.html or text_to_matrix(new)
    # if nothing of the HTML was folded, it shows the history already
    earlier = body.html_history if body.html else text_to_matrix(body.history)
    if mail.sender_kind is SenderKind.PERSON:
        plain += ("\n" if plain else "") + new
        if body.history:
            plain += f"\n\n{_quoted(body.history)}"
            if earlier:
                shown += _folded(SIGNATURE if body.only_signature else EARLIER, earlier)
        return text_message(plain.strip(), formatted + shown)
    title = f"🤖 {MACHINES[mail.sender_kind]}: {mail.subject or '(no subject)'}"
    text = f"{new}\n\n{body.history}" if body.history else new
    return text_message(
        f"{plain}{title}\n\n{_quoted(text)}",
        formatted + _folded(title, f"{shown}{earlier}"),
        notice=True,
    )


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{html.escape(title)}</summary>{content}</details>"


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
    mail: Mail,
    inbox: Inbox,
    conversation: Conversation,
    new_addresses: Sequence[str],
    ours: Sequence[str] = (),
    person: Address | None = None,
    forwarded: Address | None = None,
) -> list[str]:
    """Notes above a mail: other recipients, a changed subject, invitations, warnings.
    `ours` are the names of inboxes and agents, which a stranger may imitate; `person` is the author
    if that is not the sender; `forwarded` is the sender of a mail that a colleague forwards."""
    lines = []
    through = person is not None and person.key != mail.sender.key
    if through:
        lines.append(f"↪ through {mail.sender}")
    if forwarded is not None:
        lines.append(f"{FORWARDED}{forwarded} · 👤 makes them the contact")
        if inbox.authserv_id and mail.sender_verdict is not Verdict.PASS:
            lines.append(f"⚠️ nothing proves that {mail.sender.spec} wrote this")
    others = [a for a in (*mail.to, *mail.cc) if not a.is_of(inbox.own)]
    others.sort(key=lambda address: address.key not in new_addresses)  # whom nobody knows yet first
    if others:
        marked = [f"{a} (new)" if a.key in new_addresses else str(a) for a in others[:NAMED]]
        more = f" +{len(others) - NAMED}" if len(others) > NAMED else ""
        lines.append(f"👥 also to {', '.join(marked)}{more}")
    if mail.sender_kind is SenderKind.PERSON and _is_changed(mail.subject, conversation.subject):
        lines.append(f"Subject: {mail.subject}")
    if not through and any(address.key != mail.sender.key for address in mail.reply_to):
        lines.append(f"⚠️ reply address differs: {people(mail.reply_to[:5])}")
    if mail.sender_verdict is Verdict.FAIL:
        lines.append(f"⚠️ sender check failed: this may not be from {mail.sender.spec}")
    who = person or mail.sender
    taken = trust.resembles(who.name, ours)
    if taken and not who.is_of(inbox.own):
        lines.append(f"⚠️ same name as our {taken}, but writes from {who.spec}")
    lines += [calendar.in_zone(each, inbox.zone) for each in mail.notes]
    if mail.problem:
        lines.append(f"⚠️ this mail could not be read whole: {mail.problem}; it is attached")
    return lines


def by_hand(mail: Mail, *, proven: bool) -> str:
    """The line above a mail that somebody wrote as one of our inboxes in another mail program."""
    if proven:
        return f"↗ sent from another mail program to {people((*mail.to, *mail.cc)[:10])}"
    return f"⚠️ written as {mail.sender.spec}, and nothing proves that one of you sent it"


def _is_changed(subject: str, before: str) -> bool:
    return bool(subject) and base_subject(subject).casefold() != base_subject(before).casefold()
