"""`!inbox publish`: takes an inbox that was set up by chat live."""

from __future__ import annotations

from dataclasses import replace

from bridge.chat import admin as texts
from bridge.config.inbox import Inbox
from bridge.config.settings import ConfigError
from bridge.desk.admin import inboxes
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.desk.team import agents
from bridge.model import Mxid, Permanent, Refused, Role
from bridge.model.admin_task import RenewGrant
from bridge.model.oversight import InboxState
from bridge.model.task import ReceiveMail
from bridge.ports import Tx


async def publish(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!inbox publish INBOX [anyway] [COMMENT]`. Asks where the inbox's last test failed."""
    stored = await inboxes.of_chat(tx, desk, asked)
    if stored.state is InboxState.LIVE:
        raise Refused(f"{stored.id} is live already; what you set takes effect at once.")
    try:
        inbox = desk.directory.built(stored)
        inboxes.check(desk, inbox)
    except (Permanent, ConfigError) as error:
        raise Refused(f"{stored.id} cannot go live: {error}") from error
    for name, (client, user) in inbox.grants.items():
        grant = await tx.grants.get(name)
        if grant is None and desk.grants.client(client).asks_a_person:
            raise Refused(
                f"{stored.id} cannot go live: nobody has logged in to {user} yet. !inbox login"
                f" {stored.id} does."
            )
    comment = asked.rest.partition(asked.words[0])[2].strip()
    noted = await tx.settings.value(inboxes.testing_failed(stored.id)) or ""
    tested, _, failed = noted.partition("\n")
    changed_at = desk.directory.whole(stored).changed_at
    failed = failed if tested == str(changed_at) else ""  # what was set since may mend it
    if comment.split()[:1] == ["anyway"]:
        comment = comment.removeprefix("anyway").strip()
    elif failed:
        raise Refused(
            f"{stored.id} is not live: its last test failed. {failed}\nMend that and say"
            f" !inbox test {stored.id} again, or !inbox publish {stored.id} anyway."
        )
    await tx.settings.drop_value(inboxes.testing_failed(stored.id))
    await inboxes.save(tx, desk, replace(stored, state=InboxState.LIVE))
    await tx.jobs.run_now([ReceiveMail])  # what came while it was a draft
    for name in inbox.grants:
        await tx.jobs.reschedule(RenewGrant(name), desk.now())
    await tx.audit.add(
        desk.now(), asked.who, f"inbox {stored.id}: published{f' ({comment})' if comment else ''}"
    )
    people = ", ".join(dict.fromkeys((*inbox.leads, *inbox.agents))) or "nobody yet"
    await _invite_again(tx, desk, asked, inbox)
    return texts.published(inbox, people, desk.settings.command_prefix)


async def _invite_again(tx: Tx, desk: Desk, asked: Request, inbox: Inbox) -> None:
    """Where the inbox has its queue room from an earlier time, invite the agents who left it since;
    a new room invites them itself."""
    queue = await tx.rooms.find(Role.QUEUE, inbox.id)
    if queue is None:
        return
    for mxid in dict.fromkeys((*inbox.leads, *inbox.agents)):
        if await tx.rooms.membership(queue.id, Mxid(mxid)) not in ("join", "invite"):
            await agents.invite(tx, desk, inbox.id, Mxid(mxid), asked.event.id)


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "inbox publish",
        Role.CONTROL,
        "INBOX [anyway] [COMMENT]",
        "Put a draft inbox live. It asks where the last test failed; anyway does not.",
        publish,
    ),
)
