"""Computes the recipients of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.mail import author
from bridge.mail.address import same_domain
from bridge.model import Address, Conversation, Letter, Recipient, Verdict, key_of
from bridge.ports import Tx


@dataclass(frozen=True, slots=True)
class Addressed:
    """Recipients, a question to ask before sending, and a note for the status message."""

    recipients: tuple[Recipient, ...]
    question: str = ""
    note: str = ""


def address(
    own: frozenset[str],
    bcc: Sequence[str],
    conversation: Conversation,
    letter: Letter | None,
    overrides: Sequence[tuple[str, str, bool]],
    known: frozenset[str],
) -> Addressed:
    """The recipients of an answer to `letter`: its sender, and its To and Cc without our addresses.

    An address that the mail names and the conversation does not know leads to a question, unless
    the sender check passed; where that failed, unknown addresses in To and Cc are left out. `own`:
    addresses of all our inboxes; `bcc`: those that get a copy of every mail; `known`: those of the
    conversation, case-folded. `overrides`: (field, address, present) from `!to !cc !bcc`; they win.
    """
    note = ""
    to, question = _whom(own, conversation, letter, overrides, known)
    others = (*letter.to, *letter.cc) if letter is not None else ()
    if letter is not None and _bypasses_colleague(own, letter, to, overrides):
        others = ()  # the answered person did not see the recipients of the colleague's mail
    chosen: dict[str, Recipient] = {}
    if to.domain != "invalid" and not to.is_of(own):  # "invalid": a mail without a usable sender
        _add(chosen, to, "to")
    strangers: list[str] = []
    for other in others:
        if other.is_of(own) or other.key in chosen:
            continue
        if letter is not None and other.key in letter.new_addresses and other.key not in known:
            if letter.sender_verdict is Verdict.FAIL:
                strangers.append(other.spec)
                continue
            if letter.sender_verdict is not Verdict.PASS:
                question = question or (
                    f"{other.spec} is new here, named by the last mail, and nothing proves who"
                    " wrote that. Send to it too?"
                )
        _add(chosen, other, "cc")
    if strangers:
        note = f"left out, the sender check failed: {', '.join(strangers)}"
    for spec in bcc:
        _add(chosen, Address(spec), "bcc")
    for field, spec, present in overrides:
        chosen.pop(key_of(spec), None)
        if present:
            contact = conversation.contact
            added = contact if contact.key == key_of(spec) else Address(spec)
            _add(chosen, added, field)
    order = {"to": 0, "cc": 1, "bcc": 2}
    recipients = sorted(chosen.values(), key=lambda each: order[each.field])
    if letter is not None and _is_undecided(letter, conversation):
        names = [each.address.spec for each in recipients if each.field == "to"]
        return Addressed(tuple(recipients) if names else (), _forwarded(letter, names), note)
    return Addressed(tuple(recipients), question, note)


async def of(
    tx: Tx, desk: Desk, inbox: Inbox, conversation: Conversation, letter: Letter | None
) -> Addressed:
    """The recipients of an answer to a mail, with the conversation's current overrides."""
    return address(
        desk.own_addresses,
        inbox.bcc,
        conversation,
        letter,
        await tx.conversations.overrides(conversation.number),
        await tx.mails.addresses(conversation.number),
    )


def _whom(
    own: frozenset[str],
    conversation: Conversation,
    letter: Letter | None,
    overrides: Sequence[tuple[str, str, bool]],
    known: frozenset[str],
) -> tuple[Address, str]:
    """The address that is answered, and the question to ask about it first; empty for none."""
    contact = conversation.contact
    if letter is None:
        return contact, ""
    if letter.author is not None:
        return letter.author, ""
    if letter.forwarded is not None and letter.forwarded.key == contact.key:
        return contact, ""
    decided = {key_of(spec) for _, spec, _ in overrides}
    sender, passed = letter.sender, letter.sender_verdict is Verdict.PASS
    wanted = author.other_reply_to(sender, letter.reply_to, own)
    to = sender
    if wanted is not None and wanted.key not in decided:
        to = wanted
        through = author.is_from_us(sender, own)
        is_plain = passed and (through or same_domain(sender.key, wanted.key))
        if not is_plain and wanted.key not in known:
            return to, _reply_to_question(letter, wanted, through=through)
    elif sender.is_of(own):
        to = contact
    chosen = any(present and key_of(spec) == contact.key for _, spec, present in overrides)
    if contact.key not in (sender.key, to.key) and not chosen:
        return to, f"This answers {to.spec}, not the contact {contact.spec}. Send?"
    return to, ""


def _is_undecided(letter: Letter, conversation: Conversation) -> bool:
    """Whether a colleague forwarded the mail and nobody has confirmed yet who its author is."""
    forwarded = letter.forwarded
    if forwarded is None or letter.author is not None:
        return False
    return forwarded.key != conversation.contact.key


def _bypasses_colleague(
    own: frozenset[str], letter: Letter, to: Address, overrides: Sequence[tuple[str, str, bool]]
) -> bool:
    """Whether an answer to a colleague's mail goes to somebody else than that colleague."""
    sender = letter.sender.key
    dropped = any(not present and key_of(spec) == sender for _, spec, present in overrides)
    return author.is_internal(letter, own) and (dropped or to.key != sender)


def _reply_to_question(letter: Letter, wanted: Address, *, through: bool) -> str:
    """The question for a mail whose Reply-To is another address than its sender; yes means
    Reply-To."""
    sender = letter.sender
    if through:
        return (f"That mail came through {sender.spec} and names {wanted} to be answered. Send to"
                f" {wanted.spec}?")  # fmt: skip
    failed = ", and its sender check failed" if letter.sender_verdict is Verdict.FAIL else ""
    return (
        f"That mail wants its answer at {wanted.spec}, not at its sender's {sender.spec}{failed}."
        f" Send to {wanted.spec}? (Else ❌, then !to +{sender.spec} -{wanted.spec})"
    )


def _forwarded(letter: Letter, names: Sequence[str]) -> str:
    """The question who the author of a mail is that a colleague forwarded."""
    colleague, forwarded = letter.sender, letter.forwarded or letter.sender
    said = f"{colleague.name or colleague.spec} forwarded that mail of {forwarded}."
    other = f"👤 on the mail makes {forwarded.name or forwarded.spec} the contact"
    if not names:
        return f"{said} {other}; then say it again."
    return f"{said} Send to {', '.join(names)}? ({other})"


def _add(chosen: dict[str, Recipient], address: Address, field: str) -> None:
    chosen.setdefault(address.key, Recipient(address, field))
