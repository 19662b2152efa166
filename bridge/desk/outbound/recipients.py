"""Who an email goes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.mail import author
from bridge.mail.address import same_domain
from bridge.model import Address, Conversation, Letter, Recipient, Verdict
from bridge.ports import Tx


@dataclass(frozen=True, slots=True)
class Addressed:
    """Recipients, what must be asked before sending, and what the status should mention."""

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
    """The recipients of an answer to `letter`: its sender, and its To and Cc without us.

    Whoever is new here and named by a mail is asked about, unless the sender check passed; where
    it failed, new addresses in To and Cc are left out. `own` are the addresses of all our inboxes,
    `bcc` those that get a copy of everything, `known` those of the conversation, case-folded.
    `overrides` are (field, address, present), set by `!to !cc !bcc`, and win.
    """
    note = ""
    to, question = _whom(own, conversation, letter, overrides, known)
    others = (*letter.to, *letter.cc) if letter is not None else ()
    if letter is not None and _is_for_others(own, letter, to, overrides):
        others = ()  # they never saw whom a colleague wrote to
    chosen: dict[str, Recipient] = {}
    if to.domain != "invalid" and not to.is_of(own):  # a mail without a sender, or of ourselves
        _add(chosen, to, "to")
    strangers: list[str] = []
    for other in others:
        if other.is_of(own) or other.key in chosen:
            continue
        if letter is not None and other.key in letter.new_addresses and other.key not in known:
            if letter.verdict is Verdict.FAIL:
                strangers.append(other.spec)
                continue
            if letter.verdict is not Verdict.PASS:
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
        chosen.pop(spec.casefold(), None)
        if present:
            contact = conversation.contact
            added = contact if contact.key == spec.casefold() else Address(spec)
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
    """The recipients of an answer to a mail of a conversation, as everything stands now."""
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
    """Who is answered, and what must be asked about that first."""
    contact = conversation.contact
    if letter is None:
        return contact, ""
    if letter.author is not None:
        return letter.author, ""
    if letter.forwarded is not None and letter.forwarded.key == contact.key:
        return contact, ""
    decided = {spec.casefold() for _, spec, _ in overrides}
    sender, passed = letter.sender, letter.verdict is Verdict.PASS
    wanted = author.elsewhere(sender, letter.reply_to, own)
    to = sender
    if wanted is not None and wanted.key not in decided:
        to = wanted
        through = author.came_through(sender, own)
        is_plain = passed and (through or same_domain(sender.key, wanted.key))
        if not is_plain and wanted.key not in known:
            return to, _elsewhere(letter, wanted, through=through)
    elif sender.is_of(own):
        to = contact
    chosen = any(present and spec.casefold() == contact.key for _, spec, present in overrides)
    if contact.key not in (sender.key, to.key) and not chosen:
        return to, f"This answers {to.spec}, not the contact {contact.spec}. Send?"
    return to, ""


def _is_undecided(letter: Letter, conversation: Conversation) -> bool:
    """Whether nobody said yet whose mail a colleague forwarded."""
    forwarded = letter.forwarded
    if forwarded is None or letter.author is not None:
        return False
    return forwarded.key != conversation.contact.key


def _is_for_others(
    own: frozenset[str], letter: Letter, to: Address, overrides: Sequence[tuple[str, str, bool]]
) -> bool:
    """Whether an answer to a colleague's mail goes to somebody else instead."""
    sender = letter.sender.key
    dropped = any(not present and spec.casefold() == sender for _, spec, present in overrides)
    return author.is_internal(letter, own) and (dropped or to.key != sender)


def _elsewhere(letter: Letter, wanted: Address, *, through: bool) -> str:
    """Asks where a mail wants its answer at somebody else's; yes means there."""
    sender = letter.sender
    if through:
        return (f"That mail came through {sender.spec} and names {wanted} to be answered. Send to"
                f" {wanted.spec}?")  # fmt: skip
    failed = ", and its sender check failed" if letter.verdict is Verdict.FAIL else ""
    return (
        f"That mail wants its answer at {wanted.spec}, not at its sender's {sender.spec}{failed}."
        f" Send to {wanted.spec}? (Else ❌, then !to +{sender.spec} -{wanted.spec})"
    )


def _forwarded(letter: Letter, names: Sequence[str]) -> str:
    """Asks whom a mail is of that a colleague forwarded."""
    colleague, forwarded = letter.sender, letter.forwarded or letter.sender
    said = f"{colleague.name or colleague.spec} forwarded that mail of {forwarded}."
    other = f"👤 on the mail makes {forwarded.name or forwarded.spec} the contact"
    if not names:
        return f"{said} {other}; then say it again."
    return f"{said} Send to {', '.join(names)}? ({other})"


def _add(chosen: dict[str, Recipient], address: Address, field: str) -> None:
    chosen.setdefault(address.key, Recipient(address, field))
