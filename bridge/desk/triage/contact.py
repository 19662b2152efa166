"""`!contact`: shows or changes the contact of a conversation and the team's notes about them."""

from __future__ import annotations

from dataclasses import replace

from bridge.chat.command import PERSON
from bridge.desk.command import CommandSpec, ReactionSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk, mail_meant
from bridge.desk.rooms import picture
from bridge.desk.rooms.refresh import refresh
from bridge.mail.address import bare, parse_list
from bridge.mail.charset import clean, clean_line
from bridge.model import (
    Address,
    Contact,
    Number,
    Place,
    PostKey,
    Refused,
    Role,
    Shows,
    Wanted,
    key_of,
)
from bridge.ports import Tx

MAX_NOTES_LENGTH = 4_000
"""Characters of notes on one person."""
USAGE = (
    "Say !contact alone, or !contact name TEXT, note TEXT (note - clears them), add ADDRESS,"
    " remove ADDRESS, set ADDRESS."
)


async def contact(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """Show the contact, or change it by a subcommand. Names and notes belong to this inbox only."""
    if not context.conversation.contact.spec:
        raise Refused("The contact of this conversation was erased.")
    _refuse_overflow_room(context)
    word, _, rest = context.rest.partition(" ")
    match word.casefold():
        case "":
            return await _shown(tx, context)
        case "name":
            return await _name(tx, desk, context, rest)
        case "note":
            return await _note(tx, context, rest)
        case "add":
            return await _add(tx, desk, context, rest)
        case "remove":
            return await _remove(tx, context, rest)
        case "set":
            return await _set(tx, desk, context, rest)
    raise Refused(USAGE)


def _refuse_overflow_room(context: CommandContext) -> None:
    if context.conversation.is_overflow:
        raise Refused("The mails here are of different people; !split gives one a room of its own.")


async def _shown(tx: Tx, context: CommandContext) -> str:
    conversation = context.conversation
    known = await tx.contacts.of(context.inbox.id, conversation.contact.spec)
    if known is None:
        known = Contact(0, conversation.contact.name, "", (conversation.contact.spec,))
    before = await tx.conversations.of_contact(context.inbox.id, *known.specs)
    many = f"{len(before)}{' or more' if len(before) >= 20 else ''}"
    lines = [known.name or "(no name)", *known.specs, f"Conversations here: {many} · !history"]
    return "\n".join([*lines, *(["Notes:", known.notes] if known.notes else [])])


async def _name(tx: Tx, desk: Desk, context: CommandContext, text: str) -> str:
    name = clean_line(text, 64)
    if not name:
        raise Refused("Say the name: !contact name Alice Doe.")
    known = await tx.contacts.begin(context.inbox.id, context.conversation.contact)
    await tx.contacts.update(known.id, name, known.notes)
    changed = await tx.conversations.update(
        context.conversation.number, contact=Address(context.conversation.contact.spec, name)
    )
    await refresh(tx, desk, changed)
    return f"{context.conversation.contact.spec} is called {name}, here and in new conversations."


async def _note(tx: Tx, context: CommandContext, text: str) -> str:
    text = clean(text).strip()
    if not text:
        raise Refused("Say what to note: !contact note TEXT; - clears the notes.")
    known = await tx.contacts.begin(context.inbox.id, context.conversation.contact)
    notes = "" if text == "-" else f"{known.notes}\n{text}".strip()
    if len(notes) > MAX_NOTES_LENGTH:
        raise Refused(
            f"Notes have {MAX_NOTES_LENGTH} characters at most; !contact note - clears them."
        )
    await tx.contacts.update(known.id, known.name, notes)
    return "Noted. Customers never see this." if notes else "The notes are cleared."


async def _add(tx: Tx, desk: Desk, context: CommandContext, text: str) -> str:
    address = _address(desk, context, text)
    known = await tx.contacts.begin(context.inbox.id, context.conversation.contact)
    if address.key in {key_of(spec) for spec in known.specs}:
        return f"{address.spec} is known as theirs already."
    await tx.contacts.add_address(context.inbox.id, known.id, address.spec)
    return (f"{address.spec} belongs to them, too; !history shows both. Emails still go to the same"
            " address as before.")  # fmt: skip


async def _remove(tx: Tx, context: CommandContext, text: str) -> str:
    address = bare(text.strip())
    known = await tx.contacts.of(context.inbox.id, context.conversation.contact.spec)
    theirs = {key_of(spec) for spec in known.specs} if known is not None else set()
    if address is None or address.key not in theirs:
        raise Refused(f"{text.strip()[:80] or 'That'} is not an address of this contact.")
    if address.key == context.conversation.contact.key:
        raise Refused(f"{address.spec} is the contact of this conversation; !contact set changes"
                      " that.")  # fmt: skip
    await tx.contacts.remove_address(context.inbox.id, address.spec)
    return f"{address.spec} is not theirs any more."


async def offer(tx: Tx, desk: Desk, number: Number, shown: PostKey) -> None:
    """Put the reaction 👤 on the post `shown` of a mail that a colleague forwarded."""
    key = replace(shown, shows=Shows.FORWARDED, text=f"{Shows.FORWARDED}:{shown.text}")
    await tx.posts.put(Wanted.reaction(key, Place.of(number), desk.bot, PERSON, shown))


async def forwarded(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """👤 on a mail that a colleague forwarded: make its original author the contact."""
    letter = (
        await mail_meant(tx, context.conversation.number, context.points_at)
        if context.points_at is not None
        else None
    )
    if letter is None or letter.forwarded is None:
        return None
    _refuse_overflow_room(context)
    await tx.mails.set_author(letter.id, letter.forwarded)
    if context.conversation.contact.key == letter.forwarded.key:
        return f"{letter.forwarded.spec} is the contact, and emails go there."
    return await _become(tx, desk, context, letter.forwarded)


async def _set(tx: Tx, desk: Desk, context: CommandContext, text: str) -> str:
    """Make an address the contact, or confirm the present one as author of forwarded mails."""
    address = _address(desk, context, text)
    if address.key == context.conversation.contact.key:
        address = context.conversation.contact
    for letter in await tx.mails.of_conversation(context.conversation.number):
        if letter.forwarded is not None and letter.author is None:
            await tx.mails.set_author(letter.id, address)
    if address.key == context.conversation.contact.key:
        return f"{address.spec} is the contact, and emails go there."
    return await _become(tx, desk, context, address)


async def _become(tx: Tx, desk: Desk, context: CommandContext, address: Address) -> str:
    """Make an address the contact: answers go there, and not to the previous contact."""
    before, number = context.conversation.contact, context.conversation.number
    known = await tx.contacts.of(context.inbox.id, address.spec)
    if known is not None and known.name:
        address = Address(address.spec, known.name)
    changed = await tx.conversations.update(
        number, contact=address, changed_at=desk.now()
    )  # fmt: skip
    await tx.conversations.add_participants(number, [address.spec])
    await tx.conversations.override(number, "to", address.spec, True)
    await tx.conversations.override(number, "to", before.spec, False)
    await picture.join_contact_ghost(tx, desk, number, address)
    await refresh(tx, desk, changed)
    if before.domain == "invalid":  # the placeholder for a mail without a usable sender
        return f"This conversation is with {address}. Emails go there."
    return (f"This conversation is with {address}. Emails go there, and not to {before.spec};"
            f" !to +{before.spec} adds them again.")  # fmt: skip


def _address(desk: Desk, context: CommandContext, text: str) -> Address:
    """The one address in `text`, perhaps with a name. Raises Refused where it is not valid, or one
    of our inboxes."""
    found = parse_list(text.strip())
    if len(found) != 1 or bare(found[0].spec) is None:
        raise Refused(
            f"{text.strip()[:80] or 'That'} is not a valid email address, like x@example.com."
        )
    if found[0].is_of(desk.own_addresses):
        raise Refused(f"{found[0].spec} is an inbox of ours; nothing was changed.")
    return found[0]


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "contact",
        Role.CONVERSATION,
        "[name TEXT | note TEXT | add ADDRESS | remove ADDRESS | set ADDRESS]",
        "Show who the contact is, or change what is known about them. set makes ADDRESS the "
        "contact of this conversation, for a mail that a colleague forwarded.",
        contact,
        works_after_merge=True,
    ),
)
REACTIONS = (
    ReactionSpec(
        PERSON,
        forwarded,
        Shows.MAIL,
        "on a mail that a colleague forwarded: make its first author the contact",
    ),
)
