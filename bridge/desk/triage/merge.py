"""`!merge`, `!split`, and 🔗 on a card: move mails to another conversation."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.chat import file_event, render
from bridge.chat.command import LINK
from bridge.chat.preview import preview_of
from bridge.chat.room import link
from bridge.desk.command import CommandSpec, ReactionSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk, mail_meant
from bridge.desk.rooms import picture
from bridge.desk.rooms.refresh import refresh
from bridge.desk.rooms.sent import show_sent
from bridge.desk.triage import contact, state
from bridge.desk.triage.unmerge import note, unmerge
from bridge.mail import author
from bridge.mail.thread import base_subject
from bridge.model import (
    DELIVERIES_UNDER_WAY,
    Content,
    Conversation,
    Letter,
    Number,
    Place,
    Post,
    PostKey,
    Refused,
    Role,
    Shows,
    State,
    Wanted,
    key_of,
    words,
)
from bridge.model.conversation import NewConversation
from bridge.model.task import MakeRoom
from bridge.ports import Tx


async def merge(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!merge #12`: move all mails of this conversation to #12, and continue there. Asks where the
    two are with different people; `!merge #12 anyway` does not."""
    rest = context.rest.strip()
    asked = rest.casefold().endswith("anyway")
    named = words.number(rest[: -len("anyway")] if asked else rest)
    if named is None:
        raise Refused("Say with which: !merge #12 has this conversation go on in #12.")
    number = Number(named)
    if not await tx.conversations.exists(context.inbox.id, number):
        raise Refused(f"There is no #{number} in {context.inbox.name}.")
    into = await tx.conversations.get(number)
    here = context.conversation
    await _refuse_impossible(tx, here, into)
    if not asked and not await _same_person(tx, here, into):
        raise Refused(
            f"#{here.number} is with {here.contact}, #{number} with {into.contact}. If these belong"
            f" together, say !merge #{number} anyway; nothing was done."
        )
    await _merge(tx, desk, here, into)
    return f"This goes on in #{into.number}: {_link(desk, into)}"


async def _refuse_impossible(tx: Tx, conversation: Conversation, into: Conversation) -> None:
    """Raises Refused where the two cannot be merged."""
    if conversation.number == into.number:
        raise Refused("That is this conversation itself.")
    if conversation.is_overflow or into.is_overflow:
        raise Refused("That room holds mails of different people; !split takes each out of it.")
    if into.merged is not None:
        raise Refused(f"#{into.number} goes on in #{into.merged} itself; merge with that.")
    if conversation.merged is not None:
        raise Refused(f"#{conversation.number} goes on in #{conversation.merged} already.")
    if into.state is State.SPAM and conversation.state is not State.SPAM:
        raise Refused(f"#{into.number} is spam; say !reopen there first.")
    await refuse_under_way(tx, conversation)


async def _same_person(tx: Tx, one: Conversation, other: Conversation) -> bool:
    """Whether two conversations are with the same contact, whichever of their addresses it is."""
    if one.contact.key == other.contact.key:
        return True
    known = await tx.contacts.of(one.inbox, one.contact.spec)
    specs = known.specs if known is not None else ()
    return other.contact.key in {key_of(each) for each in specs}


async def claimed(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """🔗 on a card: merge into the conversation that this one claims to belong to."""
    conversation = context.conversation
    if conversation.claim is None or not await tx.conversations.exists(
        context.inbox.id, conversation.claim
    ):
        return f"#{conversation.number} claims to belong to no other conversation."
    into = await tx.conversations.get(conversation.claim)
    await _refuse_impossible(tx, conversation, into)
    await _merge(tx, desk, conversation, into)
    return None


async def _merge(tx: Tx, desk: Desk, conversation: Conversation, into: Conversation) -> None:
    """Move the mails of one conversation, and all later ones, to another."""
    letters = await tx.mails.of_conversation(conversation.number)
    await note(tx, desk, conversation, into, letters)
    there = render.notice(f"Merged from #{conversation.number}: {_link(desk, conversation)}")
    await _say(tx, desk, into, PostKey.of_conversation(Shows.MERGED, conversation.number), there)
    await _bring(tx, desk, letters, into)
    await tx.conversations.add_participants(
        into.number, sorted(await tx.conversations.participants(conversation.number))
    )
    waits = [w for w in (conversation.waiting_since, into.waiting_since) if w is not None]
    # a snoozed conversation merged into a closed one would never wake: open that one
    wakes = conversation.state is State.SNOOZED and into.state is not State.SNOOZED
    opens = wakes or State.OPEN in (conversation.state, into.state)
    into = await tx.conversations.update(
        into.number, state=State.OPEN if opens else into.state, changed_at=desk.now(),
        closed_at=None if opens else into.closed_at,
        snoozed_until=None if opens else into.snoozed_until,
        waiting_since=min(waits) if opens and waits else into.waiting_since,
        tags=tuple(dict.fromkeys((*into.tags, *conversation.tags))),
        priority=max(conversation.priority, into.priority),
        assignee=into.assignee or conversation.assignee,
    )  # fmt: skip
    await refresh(tx, desk, into)
    gone = await tx.conversations.update(
        conversation.number, merged=into.number, assignee=None, claim=None
    )
    await state.set_state(tx, desk, gone, State.CLOSED)
    text = f"This goes on in #{into.number}: {_link(desk, into)}"
    await _say(
        tx,
        desk,
        conversation,
        PostKey.of_conversation(Shows.GOES_ON, conversation.number),
        render.notice(text),
    )


async def split(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!split` as a reply to a mail: move that mail into a new conversation. In a conversation that
    was merged: undo that."""
    if context.conversation.merged is not None:
        into = await tx.conversations.get(context.conversation.merged)
        await refuse_under_way(tx, into)
        return await unmerge(tx, desk, context, context.conversation, into)
    letter = None
    if context.points_at is not None:
        letter = await mail_meant(tx, context.conversation.number, context.points_at)
    if letter is None or letter.outbound:
        raise Refused("Use this as a reply to a mail that came in: it begins a new conversation.")
    alone = len(await tx.mails.of_conversation(context.conversation.number)) == 1
    if alone and not context.conversation.is_overflow:
        raise Refused("It is the only mail here; there is nothing to split.")
    await refuse_under_way(tx, context.conversation)
    now = desk.now()
    person = author.author(letter.sender, letter.reply_to, desk.own_addresses)
    subject = base_subject(letter.subject) or letter.subject
    preview, files = await _preview(tx, letter), await _files(tx, letter)
    wanted = NewConversation(context.inbox.id, person, subject, now, preview, files)
    new = await tx.conversations.create(wanted)
    new = await tx.conversations.update(
        new.number, assignee=context.who, waiting_since=min(letter.at, now)
    )
    await tx.jobs.add(MakeRoom(new.number), f"{Place.of(new.number)}:out")
    if not letter.sender.is_of(desk.own_addresses):
        await tx.conversations.add_participants(new.number, [letter.sender.spec])
    from_ = render.notice(
        f"Split from #{context.conversation.number}: {_link(desk, context.conversation)}"
    )
    await _say(tx, desk, new, PostKey.of_conversation(Shows.SPLIT, new.number), from_)
    await _bring(tx, desk, [letter], new)
    await refresh(tx, desk, new)
    return f"That mail is now #{new.number}, and yours; its card has the link."


async def _bring(tx: Tx, desk: Desk, letters: Sequence[Letter], to: Conversation) -> None:
    """Move mails to a conversation and copy their posts to its room, where a reply to a copy
    answers the mail. A mail that we sent is shown there as a line with its recipients."""
    await tx.mails.relocate(letters, to.number)
    place = Place.of(to.number)
    for letter in letters:
        await tx.passages.relocate(letter.id, to.number)
        for post in await tx.posts.of_mail(letter.id):
            if post.place == place or not post.content or post.key.is_copy:
                continue
            sender = await _bring_sender(tx, desk, letter, post, to)
            content = {**post.content, "m.mentions": {}}
            await tx.posts.put(Wanted.message(post.key.copy_in(to.number), place, sender, content))
        if letter.forwarded is not None:
            shown = PostKey.of_mail(Shows.MAIL, letter.id).copy_in(to.number)
            await contact.offer(tx, desk, to.number, shown)
        if letter.outbound:
            await show_sent(tx, desk, letter, to.number)


async def _bring_sender(tx: Tx, desk: Desk, letter: Letter, post: Post, to: Conversation) -> str:
    """The user that sends the copy of a mail in the new room; lets its ghost join first."""
    if post.sender == desk.bot and not letter.outbound:  # it comes from the overflow conversation
        person = author.author(letter.sender, letter.reply_to, desk.own_addresses)
        return await picture.join_contact_ghost(tx, desk, to.number, person)
    entry = await tx.posts.entry(post.place, post.sender)
    who = entry.content if entry is not None else {"name": str(letter.sender)}
    await picture.join_ghost(tx, to.number, post.sender, who)
    return post.sender


async def _preview(tx: Tx, letter: Letter) -> str:
    shown = await tx.posts.by_key(PostKey.of_mail(Shows.MAIL, letter.id))
    return preview_of(str(shown.content.get("body", ""))) if shown is not None else ""


async def _files(tx: Tx, letter: Letter) -> str:
    posts = [p for p in await tx.posts.of_mail(letter.id) if p.key.shows is Shows.FILE]
    files = [await tx.posts.file(post.id) for post in posts]
    return file_event.names([each.attachment for each in files if each is not None])


async def refuse_under_way(tx: Tx, conversation: Conversation) -> None:
    """Raises Refused while a mail of the conversation is being sent or waits for a yes."""
    if await tx.deliveries.newest(conversation.number, DELIVERIES_UNDER_WAY) is not None:
        raise Refused("An email of this conversation is still on its way, or waits for an answer;"
                      " wait for it or stop it first.")  # fmt: skip


async def _say(
    tx: Tx, desk: Desk, conversation: Conversation, key: PostKey, content: Content
) -> None:
    await tx.posts.put(Wanted.message(key, Place.of(conversation.number), desk.bot, content))


def _link(desk: Desk, conversation: Conversation) -> str:
    return (
        link(conversation.room, desk.server_name)
        if conversation.room
        else f"#{conversation.number}"
    )


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "merge",
        Role.CONVERSATION,
        "#NUMBER [anyway]",
        "Merge this conversation, with all its mails, into conversation NUMBER. It asks first "
        "where the two are with different people; !split here undoes it.",
        merge,
    ),
    CommandSpec(
        "split",
        Role.CONVERSATION,
        "",
        "As a reply to a mail: move it into a new conversation. In the room of a conversation "
        "that was merged: take its mails back.",
        split,
        works_after_merge=True,
    ),
)
REACTIONS = (
    ReactionSpec(
        LINK,
        claimed,
        Shows.CARD,
        "on a card: merge it into the conversation it claims to belong to",
    ),
)
