"""The control room: which command is which act, and who may give it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from bridge.chat import admin as texts
from bridge.chat import command
from bridge.config import inbox_form
from bridge.desk.admin import (
    erase,
    export,
    inbox_setup,
    inboxes,
    jobs,
    question,
    report,
    rulebook,
    sealed,
    status,
    testing,
)
from bridge.desk.context import Request, came_before
from bridge.desk.desk import Desk
from bridge.desk.outbound import snippet
from bridge.desk.team import agents
from bridge.model import Event, InboxId, Refused
from bridge.ports import Tx

Act = Callable[[Tx, Desk, Request], Awaitable[str | None]]


async def _help(tx: Tx, desk: Desk, asked: Request) -> str:
    return status.help_text("control", asked.rest, desk.settings.command_prefix)


async def _audit(tx: Tx, desk: Desk, asked: Request) -> str:
    count = int(asked.rest) if re.fullmatch("[0-9]{1,4}", asked.rest) else 20
    return texts.audit(await tx.audit.last(min(max(count, 1), 100)), desk.now())


async def _yes(tx: Tx, desk: Desk, asked: Request) -> str | None:
    open_ = await question.deed(tx, asked.who, desk.now())
    if open_ is None:
        raise Refused("Nothing waits for a yes of yours here.")
    await question.decided(tx, asked.who)
    if open_.what == question.ERASE:
        return await erase.confirmed(tx, desk, asked, open_.about)
    if open_.what == question.DROP:
        return await jobs.dropped(tx, desk, asked, int(open_.about))
    return await inboxes.removed(tx, desk, asked, InboxId(open_.about))


async def _no(tx: Tx, desk: Desk, asked: Request) -> str:
    if await question.deed(tx, asked.who, desk.now()) is None:
        raise Refused("Nothing waits for a no of yours here.")
    await question.decided(tx, asked.who)
    return "Nothing was done."


ACTS: dict[str, Act] = {
    "inbox list": inboxes.list_,
    "inbox add": inbox_setup.add,
    "inbox show": inboxes.show,
    "inbox set": inboxes.set_,
    "inbox test": testing.order,
    "inbox publish": inboxes.publish,
    "inbox pause": inboxes.pause,
    "inbox resume": inboxes.resume,
    "inbox remove": inboxes.remove,
    "agent list": agents.list_,
    "agent add": agents.add,
    "agent remove": agents.remove,
    "snippet list": snippet.list_,
    "snippet add": snippet.add,
    "snippet edit": snippet.edit,
    "snippet remove": snippet.remove,
    "rule list": rulebook.list_,
    "rule add": rulebook.add,
    "rule test": rulebook.test,
    "rule remove": rulebook.remove,
    "report": report.order,
    "status": status.status,
    "queue": jobs.show,
    "retry": jobs.retry,
    "quarantine list": jobs.list_,
    "quarantine show": jobs.show_one,
    "quarantine retry": jobs.retry_one,
    "quarantine drop": jobs.drop,
    "audit": _audit,
    "erase": erase.order,
    "export": export.order,
    "yes": _yes,
    "no": _no,
    "help": _help,
}


WORDS = {act.partition(" ")[0] for act in ACTS}


async def act(tx: Tx, desk: Desk, event: Event) -> str | None:
    """Do what an admin says in the control room, or take it as the answer to a question."""
    prefix = desk.settings.command_prefix
    text = command.new_text(event.content)
    said = command.parse_text(text, prefix)
    is_edit = command.edited(event.content) is not None
    by_admin = event.sender in desk.settings.admins
    open_ = await question.asked(tx, event.sender, event.at) if by_admin else None
    if open_ is not None and open_.what in inbox_form.SECRETS and said and said.name not in WORDS:
        said = None  # a password may begin as a command does
    waited_for = await question.secrets_asked(tx, event.at)
    secret = sealed.may_hold_secret(event, said, waited_for, prefix)
    if secret:
        await sealed.wipe(tx, desk, event)
    if is_edit:
        return None
    if not by_admin:
        return "Only admins can do that." if said is not None else None
    if await came_before(tx, event.at):
        return texts.BEFORE_RESTORE if said is not None else None
    try:
        if said is not None:
            name, rest = _named(said, prefix)
            return await ACTS[name](tx, desk, Request(event, rest))
        if open_ is not None and text.strip():
            return await inbox_setup.answered(tx, desk, Request(event, text.strip()), open_)
        return texts.REDACTED if secret else None
    except Refused as refusal:
        # while questions are asked, anything may be the answer to one: a password said twice
        if open_ is not None or waited_for:
            known: set[str] = {*desk.settings.inboxes}
            known |= {each.id for each in await tx.inboxes.all()}
            if said is not None and said.name in WORDS:
                known.add(f"{prefix}{said.name}")
            return sealed.without_any(str(refusal), text, known)
        return sealed.without(str(refusal), text) if secret else str(refusal)


def _named(said: command.Command, prefix: str) -> tuple[str, str]:
    """(act, what stands behind its words). Raises Refused with the usage."""
    if said.name in ACTS:
        return said.name, said.rest
    word, rest = [*said.rest.split(maxsplit=1), "", ""][:2]
    if f"{said.name} {word.casefold()}" in ACTS:
        return f"{said.name} {word.casefold()}", rest
    specs = [spec for spec in command.TABLE if (spec.name, spec.room) == (said.name, "control")]
    if specs:
        raise Refused("Say one of these:\n" + "\n".join(f"{prefix}{s.usage}" for s in specs))
    raise Refused(command.unknown(said.name, "control", prefix))
