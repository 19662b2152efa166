"""Matrix events to acts: who may say what where, and the one answer they get."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from zoneinfo import ZoneInfo

from structlog.contextvars import bind_contextvars

from bridge.chat import command, render
from bridge.chat.command import AGAIN, CLIP, CROSS, HAND, LINK, MAIL, PERSON, TICK
from bridge.chat.room import link
from bridge.desk.admin import control, export, report, sealed, status
from bridge.desk.context import Hearing, came_before
from bridge.desk.desk import Desk
from bridge.desk.outbound import (
    compose,
    decisions,
    forward,
    overrides,
    preview,
    reply,
    snippet,
    writing,
)
from bridge.desk.rooms import post
from bridge.desk.rooms.refresh import answer
from bridge.desk.team import members
from bridge.desk.triage import assign, block, contact, labels, merge, move, original, search, state
from bridge.model import (
    STOPPABLE,
    Content,
    Event,
    EventId,
    Form,
    Job,
    Mxid,
    Number,
    Permanent,
    Place,
    PostKey,
    Refused,
    Role,
    Room,
    Shows,
    Transient,
    Wanted,
)
from bridge.model.task import HandleEvent
from bridge.ports import Tx

Act = Callable[[Tx, Desk, Hearing, EventId | None], Awaitable[str | None]]


async def _help(tx: Tx, desk: Desk, heard: Hearing, target: EventId | None) -> str | None:
    return status.help_text(heard.room.role, heard.rest, desk.settings.command_prefix)


async def _info(tx: Tx, desk: Desk, heard: Hearing, target: EventId | None) -> str | None:
    letter = await tx.mails.latest(heard.about.number)
    to = (await overrides.shown(tx, desk, heard)).split("\n")[1:]
    return render.info(heard.about, heard.inbox, letter, to, desk.now())


def _people(field: str) -> Act:
    async def act(tx: Tx, desk: Desk, heard: Hearing, target: EventId | None) -> str | None:
        return await overrides.change(tx, desk, heard, field)

    return act


def _plain(act: Callable[[Tx, Desk, Hearing], Awaitable[str | None]]) -> Act:
    async def with_target(tx: Tx, desk: Desk, heard: Hearing, target: EventId | None) -> str | None:
        return await act(tx, desk, heard)

    return with_target


ACTS: dict[str, Act] = {
    "reply": _plain(reply.reply),
    "draft": _plain(reply.draft),
    "snippet": snippet.use,
    "snippets": _plain(snippet.browse),
    "forward": forward.forward,
    "compose": _plain(compose.compose),
    "send": reply.send,
    "attach": reply.attach,
    "undo": decisions.undo,
    "no": decisions.undo,
    "yes": decisions.yes,
    "retry": decisions.retry,
    "to": _people("to"),
    "cc": _people("cc"),
    "bcc": _people("bcc"),
    "take": _plain(assign.take),
    "assign": _plain(assign.assign),
    "unassign": _plain(assign.unassign),
    "away": _plain(assign.go_away),
    "back": _plain(assign.come_back),
    "close": _plain(state.close),
    "reopen": _plain(state.reopen),
    "spam": _plain(state.spam),
    "block": _plain(block.block),
    "unblock": _plain(block.unblock),
    "snooze": _plain(state.snooze),
    "contact": _plain(contact.contact),
    "forwarded": contact.forwarded,
    "merge": _plain(merge.merge),
    "claimed": _plain(merge.claimed),
    "split": merge.split,
    "move": _plain(move.move),
    "search": _plain(search.search),
    "note": _plain(search.note),
    "stats": _plain(report.stats),
    "tag": _plain(labels.tag),
    "priority": _plain(labels.priority),
    "subject": _plain(labels.subject),
    "list": _plain(labels.list_),
    "history": _plain(labels.history),
    "headers": labels.headers,
    "info": _info,
    "original": original.original,
    "export": _plain(export.order_here),
    "help": _help,
}
REACTION_ACTS: dict[str, str] = {
    MAIL: "send", CLIP: "attach", CROSS: "undo", TICK: "yes", AGAIN: "retry",
    PERSON: "forwarded",
}  # fmt: skip
CARD_ACTS = {HAND: "take", TICK: "close", LINK: "claimed"}
STILL_THERE = ("help", "info", "original", "headers", "export", "history", "contact")
"""What a room is good for whose conversation goes on in another one."""
ON_POSTS = ("undo", "yes", "retry", "take", "close", "claimed", "forwarded")
"""Acts of reactions on what we show."""
ON = {
    "undo": Shows.STATUS, "yes": Shows.STATUS, "retry": Shows.STATUS, "forwarded": Shows.MAIL,
}  # fmt: skip
"""What the reactions of some acts are on."""
PATIENCE = 600.0
"""Seconds a reaction waits for us to note what it is on."""
NEEDS_TARGET = ("reply", "draft", "send", "attach", "snippet")
"""Acts that look at the message they point at, on the homeserver."""


async def converse(desk: Desk, job: Job[HandleEvent]) -> None:
    """Handle one event from Matrix; whatever it leads to commits with the end of its job."""
    async with desk.store.reading() as tx:
        event = await tx.events.get(job.task.event)
        if event is None:
            raise Permanent(f"event {job.task.event} is not there")
        room = await tx.rooms.known(event.room)
        inbox = room.inbox if room is not None else None
        by_agent = inbox is not None and await tx.rooms.is_agent(inbox, event.sender)
    if room is not None and room.conversation is not None:
        bind_contextvars(conversation=room.conversation)
    if sealed.SEALED in event.content:
        await _control(desk, job, sealed.unseal(desk, event), room)
        return
    if room is None or event.type == "m.room.encrypted":
        await _outside(desk, job, event, room)
        return
    name, rest, target = _said(desk, event, room)
    if event.type == "m.reaction" and name in ON_POSTS and by_agent and target is not None:
        await _find_post(desk, event, target)
    seen: Content | None = None
    if name in NEEDS_TARGET and target is not None and by_agent:
        seen = await desk.chat.event(event.room, target)
    zone = await desk.chat.time_zone(event.sender) if name == "snooze" and by_agent else None
    speaker = ""
    if name == "snippet" and by_agent:
        speaker = await desk.chat.display_name(event.room, event.sender)
    now = ""
    if event.type == "m.room.member":  # events can come late and out of order: ask how it is
        now = await desk.chat.membership(event.room, Mxid(event.state_key or ""))
    async with desk.store.transaction("event") as tx:
        if event.type == "m.room.member":
            about = Mxid(event.state_key or "")
            # the invitation itself may be heard of when they are in already
            invited = "invite" in (event.prev_membership, event.content.get("membership"))
            await members.changed(tx, desk, room, about, now, event.id, invited=invited)
        elif event.type == "m.room.redaction":
            await _redacted(tx, desk, event)
        elif (edited := command.edited(event.content)) is not None:
            await _edited(tx, desk, event, edited)
        elif name:
            said = await _act(tx, desk, event, room, name, rest, target, seen, zone, speaker)
            if said:
                await answer(tx, desk, room.place, event.id, said)
        await tx.jobs.finish(job)


async def _find_post(desk: Desk, event: Event, target: EventId) -> None:
    """Raises Transient while a reaction is on a status or card that we do not know to be there."""
    async with desk.store.reading() as tx:
        known = await tx.posts.by_event(target) is not None
    if known or desk.now() - event.at > PATIENCE:
        return
    if await post.is_on_its_way(desk, event.room, target):
        raise Transient("what it is on is being brought into the room", retry_after=0.5)


async def _control(desk: Desk, job: Job[HandleEvent], event: Event, room: Room | None) -> None:
    """What is for the control room; said elsewhere it is only wiped, for it may hold a secret."""
    await desk.directory.load(desk.store)  # another process may have changed an inbox
    async with desk.store.transaction("event") as tx:
        if room is None:
            await tx.events.blank(event.id)
        elif room.role is not Role.CONTROL:
            await sealed.wipe(tx, desk, event)
            text = command.unknown("inbox", room.role, desk.settings.command_prefix)
            await answer(tx, desk, room.place, event.id, f"{text} Nothing was done.")
        elif said := await control.act(tx, desk, event):
            await answer(tx, desk, room.place, event.id, said)
        await tx.jobs.finish(job)
    await desk.directory.load(desk.store)


def _said(desk: Desk, event: Event, room: Room) -> tuple[str, str, EventId | None]:
    """(command name, its text, event it points at) of a command or a reaction."""
    if event.type == "m.reaction":
        reaction = command.reaction(event.content)
        if reaction is None:
            return "", "", None
        acts = CARD_ACTS if room.role is Role.QUEUE else REACTION_ACTS
        return acts.get(reaction[1], ""), "", reaction[0]
    said = command.parse(event.content, desk.settings.command_prefix)
    if said is None:
        return "", "", None
    return said.name, said.rest, command.replied_to(event.content)


async def _act(
    tx: Tx,
    desk: Desk,
    event: Event,
    room: Room,
    name: str,
    rest: str,
    target: EventId | None,
    seen: Content | None,
    zone: ZoneInfo | None,
    speaker: str,
) -> str | None:
    """Judge who speaks where, then do it. A refusal is a short answer and changes nothing."""
    by_reaction = event.type == "m.reaction"
    try:
        if room.inbox is None:
            return None
        inbox = desk.inbox(room.inbox)
        if not await tx.rooms.is_agent(inbox.id, event.sender):
            if name not in ACTS or (by_reaction and name not in ("send", "attach")):
                return None  # talk of guests, and reactions that mean nothing here
            raise Refused(f"Only agents of {inbox.name} can do that; nothing was done.")
        number = await _number(tx, room, name, rest, target, by_reaction)
        if number is None and (by_reaction or room.role is Role.CONVERSATION):
            return None
        if not by_reaction and command.spec(name, room.role) is None:
            prefix = desk.settings.command_prefix
            raise Refused(command.unknown(name, room.role, prefix))
        if number is not None and not await tx.conversations.exists(inbox.id, number):
            raise Refused(f"There is no #{number} in {inbox.name}.")
        about = await tx.conversations.get(number) if number is not None else None
        if by_reaction and not await _is_ours(tx, room, name, target):
            return None
        if name in ("yes", "retry") and await came_before(tx, event.at):
            # it may be what sent a mail that the backup does not know as sent
            if by_reaction:
                return None
            raise Refused("That was said before a backup was restored; say it again if it counts.")
        if about is not None and about.merged is not None and name not in STILL_THERE:
            raise Refused(f"This conversation goes on in #{about.merged}; nothing was done here.")
        heard = Hearing(event, room, inbox, about, rest, seen, speaker, zone)
        return await ACTS[name](tx, desk, heard, target)
    except Refused as refusal:
        return str(refusal)


async def _is_ours(tx: Tx, room: Room, name: str, target: EventId | None) -> bool:
    """Whether a reaction is on what it means something on: people put ❌ and ✅ on ordinary talk
    too."""
    if name not in ON:
        return True
    post = await tx.posts.by_event(target) if target is not None else None
    return post is not None and post.key.shows is ON[name] and post.place == room.place


async def _number(
    tx: Tx, room: Room, name: str, rest: str, target: EventId | None, by_reaction: bool
) -> Number | None:
    """The conversation meant: of the room, of the card, or named by number."""
    if room.conversation is not None:
        return room.conversation
    if by_reaction:
        post = await tx.posts.by_event(target) if target is not None else None
        about = post.key.conversation if post is not None else None
        if post is None or about is None:
            return None
        return about if post.key == PostKey.of_conversation(Shows.CARD, about) else None
    if name != "take":
        return None
    digits = rest.strip().lstrip("#")
    if re.fullmatch("[0-9]{1,15}", digits) is None:
        raise Refused("Say which: !take NUMBER, or press ✋ on its card.")
    return Number(int(digits))


async def _redacted(tx: Tx, desk: Desk, event: Event) -> None:
    """Taking back a message, a 📧 or a 📎 takes back what it led to, while there is time."""
    gone = event.redacts
    if gone is None:
        return
    await tx.conversations.unpin(by=gone)
    await tx.passages.forget_note(gone)
    delivery = await tx.deliveries.live(gone) or await tx.deliveries.by_order(gone)
    if delivery is None:
        return
    late = await decisions.stop(tx, desk, delivery, "the message was taken back")
    if late:
        await answer(tx, desk, Place.of(delivery.conversation), event.id, late)


async def _edited(tx: Tx, desk: Desk, event: Event, source: EventId) -> None:
    """An edit by the author changes a mail that still waits, and the status says so. What is
    sent is read from the homeserver when the time comes; an edit never makes a new command."""
    delivery = await tx.deliveries.live(source)
    if delivery is None:
        await search.reworded(tx, desk, event, source)
        return
    original = await tx.events.get(source)
    author = delivery.author or (original.sender if original is not None else delivery.agent)
    if author != event.sender:
        return
    place = Place.of(delivery.conversation)
    if delivery.state not in STOPPABLE:
        await answer(tx, desk, place, event.id, "Already sent as it was before this edit.")
        return
    changed = event.content.get("m.new_content")
    text = command.new_text(changed) if isinstance(changed, dict) else ""
    said = command.parse_text(text, desk.settings.command_prefix)
    is_order = delivery.source == delivery.order
    kept = said is not None and said.name in writing.WORDING[delivery.form]
    if is_order and (not kept or (said is not None and said.name == "snippet")):
        await decisions.stop(tx, desk, delivery, "the message was edited into something else")
        return
    names_people = is_order and delivery.form in (Form.FORWARD, Form.COMPOSE)
    if names_people and said and not await preview.readdress(tx, desk, delivery, said):
        return
    await preview.reword(tx, desk, delivery)


async def _outside(desk: Desk, job: Job[HandleEvent], event: Event, room: Room | None) -> None:
    """A room that is not ours: people who wait for the bot are shown the control room."""
    invited = event.type == "m.room.member" and event.state_key == desk.bot
    async with desk.store.reading() as tx:
        control = await tx.rooms.find(Role.CONTROL)
        known = event.sender in desk.settings.admins
        for inbox in desk.settings.inboxes:
            known = known or await tx.rooms.is_agent(inbox, event.sender)
    is_invite = invited and event.content.get("membership") == "invite" and room is None
    if is_invite:
        try:
            await (desk.chat.join if known else desk.chat.leave)(event.room)
        except Permanent:
            is_invite = False  # the invite was taken back meanwhile
    async with desk.store.transaction("event") as tx:
        talks = event.type in ("m.room.message", "m.room.encrypted")
        if known and control is not None and (is_invite or talks) and room is None:
            text = (
                "I work in rooms of my own. Admins talk to me here: "
                f"{link(control.id, desk.server)}"
            )
            key, place = PostKey.other(Shows.POINTER, event.room), Place.at(event.room)
            await tx.posts.put(Wanted.message(key, place, desk.bot, render.notice(text)))
        await tx.jobs.finish(job)
