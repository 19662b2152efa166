"""`!yes` and `!no` in the control room: an admin's answer to a question that the bridge asked
before an action that cannot be undone."""

from __future__ import annotations

from bridge.desk.admin import erase, inboxes, jobs, login, question
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.model import InboxId, Refused, Role
from bridge.ports import Tx


async def yes(tx: Tx, desk: Desk, asked: Request) -> str | None:
    open_ = await question.confirmation(tx, asked.who, desk.now())
    if open_ is None:
        raise Refused("There is no question here that waits for your answer.")
    await question.decided(tx, asked.who)
    if open_.what == question.ERASE:
        return await erase.erase_confirmed(tx, desk, asked, open_.about)
    if open_.what == question.DROP:
        return await jobs.dropped(tx, desk, asked, int(open_.about))
    if open_.what == question.LOGIN:
        return await login.agreed(tx, desk, asked, open_.about)
    return await inboxes.removed(tx, desk, asked, InboxId(open_.about))


async def no(tx: Tx, desk: Desk, asked: Request) -> str:
    open_ = await question.confirmation(tx, asked.who, desk.now())
    if open_ is None:
        raise Refused("Nothing waits for a no of yours here.")
    await question.decided(tx, asked.who)
    if open_.what == question.LOGIN:
        return await login.disagreed(tx, desk, asked, open_.about)
    return "Nothing was done."


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "yes",
        Role.CONTROL,
        "",
        "Answer the bridge's question with yes.",
        yes,
    ),
    CommandSpec(
        "no",
        Role.CONTROL,
        "",
        "Answer the bridge's question with no.",
        no,
    ),
)
