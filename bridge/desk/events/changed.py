"""Handles edited and redacted messages: changes or stops the mail they created, if not yet sent."""

from __future__ import annotations

from bridge.chat import command
from bridge.desk.desk import Desk
from bridge.desk.outbound import decisions, preview, writing
from bridge.desk.rooms.refresh import answer
from bridge.desk.triage import search
from bridge.model import STOPPABLE_DELIVERIES, Event, EventId, Form, Place
from bridge.ports import Tx


async def redacted(tx: Tx, desk: Desk, event: Event) -> None:
    """Undo what a redacted message, 📧 or 📎 led to: drop its file or note, stop its mail if it is
    not sent yet."""
    gone = event.redacts
    if gone is None:
        return
    await tx.pins.drop(by=gone)
    await tx.passages.forget_note(gone)
    delivery = await tx.deliveries.live(gone) or await tx.deliveries.by_request(gone)
    if delivery is None:
        return
    late = await decisions.stop(tx, desk, delivery, "the message was taken back")
    if late:
        await answer(tx, desk, Place.of(delivery.conversation), event.id, late)


async def edited(tx: Tx, desk: Desk, event: Event, source: EventId) -> None:
    """Apply an author's edit to a mail that still waits, and show it in the status. The text to
    send is read from the homeserver just before sending; an edit is never a new command."""
    delivery = await tx.deliveries.live(source)
    original = await tx.events.get(source)
    if delivery is None:
        await search.reworded(tx, desk, event, source)
        await _say_anew(tx, desk, event, original)
        return
    author = delivery.author or (original.sender if original is not None else delivery.agent)
    if author != event.sender:
        return
    place = Place.of(delivery.conversation)
    if delivery.state not in STOPPABLE_DELIVERIES:
        await answer(tx, desk, place, event.id, "Already sent as it was before this edit.")
        return
    text = command.edited_text(event.content)
    said = desk.commands.of_text(text)
    is_order = delivery.source == delivery.requested_by
    kept = said is not None and said.name in writing.WORDING[delivery.form]
    if is_order and (not kept or (said is not None and said.name == "snippet")):
        await decisions.stop(tx, desk, delivery, "the message was edited into something else")
        return
    if is_order and said and said.name == "later" and original is not None:
        before = command.new_text(original.content).partition("\n")[0]
        if text.partition("\n")[0].split() != before.split():
            await decisions.stop(tx, desk, delivery, "the edit changed its time; say it anew")
            return
    names_people = is_order and delivery.form in (Form.FORWARD, Form.COMPOSE)
    if names_people and said and not await preview.readdress(tx, desk, delivery, said):
        return
    await preview.reword(tx, desk, delivery)


async def _say_anew(tx: Tx, desk: Desk, event: Event, original: Event | None) -> None:
    """Answer an agent who edited talk, or a mistyped command, into a command. It is not run: people
    edit what they said long ago."""
    room = await tx.rooms.known(event.room)
    said = desk.commands.of_text(command.edited_text(event.content))
    before = desk.commands.of(original.content) if original is not None else None
    if said is None or said.name not in desk.command_words or room is None or room.inbox is None:
        return
    if before is not None and before.name in desk.command_words:
        return
    if await tx.rooms.is_agent(room.inbox, event.sender):
        prefix = desk.settings.command_prefix
        text = f"An edit is never a command; nothing was done. Say {prefix}{said.name} anew."
        await answer(tx, desk, room.place, event.id, text)
