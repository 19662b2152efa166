"""`!original`: shows the whole mail as received, on a page behind a signed link or as a file."""

from __future__ import annotations

from dataclasses import replace

from bridge.chat import file_event
from bridge.desk.command import CommandSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk, mail_meant
from bridge.model import Attachment, EventId, Letter, PostKey, Refused, Role, Shows, Wanted
from bridge.model.mail import WHOLE_MAIL
from bridge.ports import Tx


async def original(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """Show the mail it replies to, otherwise the newest one of the conversation."""
    letter = await _meant(tx, context, context.points_at)
    raw = await tx.mails.raw(letter.raw) if letter.raw is not None else b""
    if letter.raw is None or not raw:
        raise Refused("The bytes of that mail are not kept any more; the room has what was shown.")
    if desk.settings.public_url:
        url = desk.original_links.url_of(
            desk.settings.public_url, desk.original_links.sign(letter.id)
        )
        return f"The mail as it came, for {desk.original_links.hours} hours: {url}"
    key = PostKey.other(Shows.ORIGINAL, context.event.id)
    file = Attachment(WHOLE_MAIL, f"mail-{letter.id}.eml", "message/rfc822", len(raw))
    shown = Wanted.message(key, context.where, desk.bot, file_event.placeholder(file))
    await tx.posts.put(replace(shown, is_deferred=True))
    await tx.posts.add_file(key, letter.raw, file)
    return "It comes as a file: a page of its own needs public_url in config.yaml."


async def _meant(tx: Tx, context: CommandContext, target: EventId | None) -> Letter:
    if target is not None:
        found = await mail_meant(tx, context.conversation.number, target)
        if found is None:
            raise Refused("That is no mail of this conversation; reply to one, or to nothing.")
        return found
    letters = await tx.mails.of_conversation(context.conversation.number)
    if not letters:
        raise Refused("This conversation has no mail yet.")
    return letters[-1]


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "original",
        Role.CONVERSATION,
        "",
        "Show the newest mail as it came, with its pictures, on a page of its own. As a "
        "reply to a mail: that mail.",
        original,
        works_after_merge=True,
    ),
)
