"""Handles messages in the control room: checks the sender and runs the command's handler."""

from __future__ import annotations

from bridge.chat import admin as texts
from bridge.chat import command
from bridge.config import inbox_form, walkthrough
from bridge.desk.admin import (
    inbox_setup,
    login,
    question,
    sealed,
)
from bridge.desk.command import Answer, CommandSpec
from bridge.desk.context import Request, predates_restore
from bridge.desk.desk import Desk
from bridge.desk.events.commands import ADMIN_COMMANDS, unknown
from bridge.model import Event, Refused, Role
from bridge.ports import Tx


async def act(tx: Tx, desk: Desk, event: Event) -> Answer | None:
    """Run an admin's command in the control room, or take the text as the answer to a question."""
    prefix = desk.settings.command_prefix
    text = command.new_text(event.content)
    said = desk.commands.of_text(text)
    is_edit = command.edited(event.content) is not None
    by_admin = event.sender in desk.settings.admins
    open_ = await question.asked(tx, event.sender, event.at) if by_admin else None
    if open_ is not None and open_.what in inbox_form.SECRETS and said and said.name not in WORDS:
        said = None  # a password may start with the command prefix
    word = walkthrough.word(text, prefix)
    waited_for = await question.secrets_asked(tx, event.at) and not word
    asks = open_ is not None and await question.confirmation(tx, event.sender, event.at) is None
    if asks and word:
        said = None  # !no and !yes answer the walk-through where nothing else asks
    secret = sealed.may_hold_secret(desk, event, said, waited_for)
    if secret:
        await sealed.redact_secret(tx, desk, event)
    if is_edit:
        return None
    if not by_admin:
        return "Only admins can do that." if said is not None else None
    if await predates_restore(tx, event.at):
        return texts.BEFORE_RESTORE if said is not None else None
    try:
        if sealed.is_redirect(text):
            return await login.pasted(tx, desk, Request(event, text))
        if said is not None:
            meant, rest = _meant(said, prefix)
            return await meant.act(tx, desk, Request(event, rest))
        if open_ is not None and text.strip():
            return await inbox_setup.answered(tx, desk, Request(event, text.strip()), open_)
        return texts.REDACTED if secret else None
    except Refused as refusal:
        # while a question is open, any text may be an answer, such as a password sent twice
        if open_ is not None or waited_for:
            known: set[str] = {*desk.settings.inboxes}
            known |= {each.id for each in await tx.inboxes.all()}
            if said is not None and said.name in WORDS:
                known.add(f"{prefix}{said.name}")
            return sealed.mask_all(str(refusal), text, known)
        return sealed.mask_secrets(str(refusal), text) if secret else str(refusal)


def _meant(said: command.Command, prefix: str) -> tuple[CommandSpec[Request], str]:
    """Find (command, text after its words). Raises Refused with the usage."""
    word, rest = [*said.rest.split(maxsplit=1), "", ""][:2]
    for each in ADMIN_COMMANDS:
        if each.name == said.name:
            return each, said.rest
        if each.name == f"{said.name} {word.casefold()}":
            return each, rest
    usages = [f"{prefix}{each.usage}" for each in ADMIN_COMMANDS if each.word == said.name]
    if usages:
        raise Refused("Say one of these:\n" + "\n".join(usages))
    raise Refused(unknown(said.name, Role.CONTROL, prefix))


WORDS = {each.word for each in ADMIN_COMMANDS}
