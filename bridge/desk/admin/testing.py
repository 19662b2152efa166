"""`!inbox test`: tries every step of an inbox and adds each finding to one message."""

from __future__ import annotations

from bridge.chat import admin as texts
from bridge.config.inbox import Inbox
from bridge.config.settings import ConfigError
from bridge.desk.admin import inboxes
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.desk.outbound import outage, relayed
from bridge.desk.rooms.refresh import answer_with
from bridge.model import CONTROL, EventId, Job, Permanent, Refused, Role
from bridge.model.admin_task import TestInbox
from bridge.model.oversight import Finding, Grade, StoredInbox
from bridge.ports import Tx


async def order(tx: Tx, desk: Desk, asked: Request) -> str:
    """Add the job that tests an inbox; the answer to the command is edited with each finding."""
    found = await inboxes.named(tx, desk, asked, 1)
    inbox = built(desk, found)
    await tx.jobs.add(TestInbox(asked.event.id, inbox=found.id), f"test:{found.id}")
    return texts.testing(inbox, [], done=False)


def built(desk: Desk, found: Inbox | StoredInbox) -> Inbox:
    """The inbox, complete. Raises Refused where a setting is missing or wrong."""
    try:
        return desk.directory.built(found) if isinstance(found, StoredInbox) else found
    except (Permanent, ConfigError) as error:
        raise Refused(f"{found.id} cannot be used yet: {error}") from error


async def test(desk: Desk, job: Job[TestInbox]) -> None:
    """Try every step; after a crash the test starts again. Raises Permanent where the inbox does
    not exist any more."""
    inbox_id, event = job.task.inbox, job.task.event
    async with desk.store.reading() as tx:
        found = await inboxes.found(tx, desk, inbox_id)
    if found is None:
        raise Permanent(f"inbox {inbox_id} is gone")
    inbox = built(desk, found)
    findings: list[Finding] = []
    async for finding in desk.prober.test(inbox):
        findings.append(finding)
        async with desk.store.transaction("told") as tx:
            await tx.jobs.assert_leased(job)
            await _tell(tx, desk, event, texts.testing(inbox, findings, done=False))
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        for finding in findings:
            if finding.tags is not None:
                await tx.settings.set_value(f"tags:{inbox.address}", "1" if finding.tags else "")
            if finding.replaces_ids is not None:
                await relayed.note_test(tx, inbox, replaced=finding.replaces_ids)
        failed = next((each.text for each in findings if each.grade is Grade.BAD), "")
        if not failed and inbox.smtp is not None:
            await outage.works(tx, desk, desk.settings.sending_account(inbox))
        if isinstance(found, StoredInbox):
            noted = f"{desk.directory.whole(found).changed_at}\n{failed}" if failed else ""
            await tx.settings.set_value(inboxes.testing_failed(inbox_id), noted)
        await _tell(tx, desk, event, texts.testing(inbox, findings, done=True))


async def _tell(tx: Tx, desk: Desk, event: str, text: str) -> None:
    await answer_with(tx, desk, CONTROL, EventId(event), desk.quiet_message(text))


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "inbox test",
        Role.CONTROL,
        "INBOX",
        "Try every step, from the server's name to a real mail to itself, and say what "
        "failed and what to do.",
        order,
    ),
)
