"""Who an email goes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.inbox import Inbox
from bridge.mail.address import same_house
from bridge.model import Address, Conversation, Letter, Recipient, Verdict


@dataclass(frozen=True, slots=True)
class Addressed:
    """Recipients, what must be asked before sending, and what the status should mention."""

    recipients: tuple[Recipient, ...]
    question: str = ""
    note: str = ""


def address(
    own: frozenset[str],
    inbox: Inbox,
    conversation: Conversation,
    letter: Letter | None,
    overrides: Sequence[tuple[str, str, bool]],
) -> Addressed:
    """The recipients of an answer to `letter`: its sender, and its To and Cc without us.

    Reply-To counts only on the sender's own domain; elsewhere it is asked about. Addresses new to
    the conversation are left out when the mail failed its sender check; where no check is
    configured, they are asked about. `own` are the addresses of all our inboxes. `overrides`
    are (field, address, present), set by `!to !cc !bcc`, and win.
    """
    note = ""
    to, question = _whom(conversation, letter, overrides)
    others = (*letter.to, *letter.cc) if letter is not None else ()
    chosen: dict[str, Recipient] = {}
    if to.domain != "invalid":  # a mail without a sender
        _add(chosen, to, "to")
    strangers: list[str] = []
    for other in others:
        if other.is_of(own) or other.key in chosen:
            continue
        if letter is not None and other.key in letter.new_addresses:
            if letter.verdict is Verdict.FAIL:
                strangers.append(other.spec)
                continue
            if letter.verdict is Verdict.NONE and not inbox.authserv_id:
                question = question or (
                    f"{other.spec} is new here, named by the last mail, and nothing proves who"
                    " wrote that. Send to it too?"
                )
        _add(chosen, other, "cc")
    if strangers:
        note = f"left out, the sender check failed: {', '.join(strangers)}"
    for spec in inbox.bcc:
        _add(chosen, Address(spec), "bcc")
    for field, spec, present in overrides:
        chosen.pop(spec.casefold(), None)
        if present:
            _add(chosen, Address(spec), field)
    order = {"to": 0, "cc": 1, "bcc": 2}
    recipients = sorted(chosen.values(), key=lambda each: order[each.field])
    return Addressed(tuple(recipients), question, note)


def _whom(
    conversation: Conversation, letter: Letter | None, overrides: Sequence[tuple[str, str, bool]]
) -> tuple[Address, str]:
    """Who is answered, and what must be asked about that first."""
    if letter is None:
        return conversation.contact, ""
    to = letter.sender
    if letter.reply_to:
        honest = letter.verdict is not Verdict.FAIL
        if honest and all(same_house(to.key, each.key) for each in letter.reply_to):
            to = letter.reply_to[0]
        elif letter.reply_to[0].key != to.key:
            question = _elsewhere(to, letter.reply_to[0], overrides)
            if question:
                return to, question
    contact = conversation.contact
    chosen = any(present and spec.casefold() == contact.key for _, spec, present in overrides)
    if letter.sender.key != contact.key and not chosen:
        return to, f"This answers {letter.sender.spec}, not the contact {contact.spec}. Send?"
    return to, ""


def _elsewhere(sender: Address, wanted: Address, overrides: Sequence[tuple[str, str, bool]]) -> str:
    """Asks where a mail wants its answer at another domain; who said `!to` of it has decided."""
    if any(spec.casefold() == wanted.key for _, spec, _ in overrides):
        return ""
    return (
        f"That mail wants its answer at {wanted.spec}, not at its sender's {sender.spec}. Send to"
        f" {sender.spec}? (Else ❌, then !to +{wanted.spec} -{sender.spec})"
    )


def _add(chosen: dict[str, Recipient], address: Address, field: str) -> None:
    chosen.setdefault(address.key, Recipient(address, field))
