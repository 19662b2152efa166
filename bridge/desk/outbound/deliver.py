"""Makes one attempt to send one mail; each step is stored before it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from bridge import metrics
from bridge.chat.diagnosis import Trouble
from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.desk.outbound import later, outage, preview, unseen, writing
from bridge.desk.outbound.decisions import stop
from bridge.desk.outbound.dispatch import show_status
from bridge.desk.outbound.outcome import next_try, settle
from bridge.desk.rooms.refresh import tell_control
from bridge.mail import compose
from bridge.mail.provider import of_host
from bridge.model import (
    ANSWER_FORMS,
    BridgeError,
    Delivery,
    DeliveryState,
    Job,
    Permanent,
    PostKey,
    RecipientStatus,
    Refused,
    Shows,
    Transient,
)
from bridge.model.task import CopyToSent, Deliver
from bridge.ports import Tx

log = structlog.get_logger("deliver")

ATTEMPTABLE = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.DEFERRED)


async def deliver(desk: Desk, job: Job[Deliver]) -> None:
    """Attempt a delivery that is due. An attempt that was cut off after DATA began has an unknown
    outcome, and is never simply repeated."""
    async with desk.store.reading() as tx:
        delivery = await tx.deliveries.get(job.task.delivery)
        built = await tx.deliveries.mime(delivery.id)
    inbox = desk.inbox(delivery.inbox)
    if delivery.state is DeliveryState.SENDING and delivery.data_begun:
        await _resolve_unknown(desk, job, inbox, delivery)
        return
    if not inbox.sends:
        await _fail(desk, job, delivery, f"inbox {inbox.name} sends no mail any more")
        return
    if inbox.paused:
        raise Transient(f"inbox {inbox.id} is paused", retry_after=60.0)
    if delivery.state not in ATTEMPTABLE:
        async with desk.store.transaction("verdict") as tx:
            await tx.jobs.finish(job)
        return
    if delivery.planned_for and delivery.attempts == 0 and await later.waits(desk, job, delivery):
        return
    if built is None:
        try:
            built = await _build(desk, job, inbox, delivery)
        except Refused as error:
            async with desk.store.transaction("verdict") as tx:
                await stop(tx, desk, await tx.deliveries.get(delivery.id), str(error))
                await later.tell_of(tx, desk, delivery)
                await tx.jobs.finish(job)
            return
        except Permanent as error:
            await _fail(desk, job, delivery, str(error))
            return
        if built is None:
            return
    await _attempt(desk, job, inbox, delivery, built)


async def _attempt(
    desk: Desk, job: Job[Deliver], inbox: Inbox, delivery: Delivery, mime: bytes
) -> None:
    async with desk.store.transaction("attempt") as tx:
        await tx.jobs.assert_leased(job)
        current = await tx.deliveries.get(delivery.id)
        if current.state not in ATTEMPTABLE:  # stopped meanwhile
            await tx.jobs.finish(job)
            return
        if await later.is_early(tx, desk, job, current):  # planned meanwhile
            return
        _refuse_old_words(delivery, current)
        problem = await tx.sending.get(desk.settings.sending_account(inbox))
        if problem is not None and await outage.holds(tx, desk, job, inbox, current, problem):
            return
        attempts = current.attempts + 1
        await tx.deliveries.update(
            delivery.id, state=DeliveryState.SENDING, attempts=attempts, data_begun=False,
            run_at=desk.now() + next_try(attempts),
        )  # fmt: skip

    async def data_begun() -> None:
        async with desk.store.transaction("data-begun") as tx:
            await tx.jobs.assert_leased(job)
            await tx.deliveries.update(delivery.id, data_begun=True)

    open_ = [each.address.spec for each in current.open_recipients]
    try:
        statuses = await desk.sender.send(inbox, inbox.address, open_, mime, data_begun)
    except Trouble as trouble:
        await outage.failed(desk, job, inbox, current, trouble)
        return
    unknown = [spec for spec, (status, _) in statuses.items() if status is RecipientStatus.UNKNOWN]
    if unknown and await _found_in_sent(desk, inbox, delivery):
        statuses = {
            **statuses,
            **dict.fromkeys(unknown, (RecipientStatus.SENT, "found in the Sent folder")),
        }
    await _verdict(desk, job, inbox, delivery, statuses)
    if problem is not None:  # after the verdict: what was accepted must not become unknown
        async with desk.store.transaction("told") as tx:
            await outage.works(tx, desk, problem.account)


def _refuse_old_words(begun: Delivery, current: Delivery) -> None:
    """Raises Transient where the mail was edited since this attempt began; the next attempt sends
    the new text."""
    if begun.wording != current.wording:
        raise Transient(f"delivery {begun.id} was edited meanwhile", retry_after=0.05)


async def _verdict(
    desk: Desk,
    job: Job[Deliver],
    inbox: Inbox,
    delivery: Delivery,
    statuses: Mapping[str, tuple[RecipientStatus, str]],
) -> None:
    """Store the server's answer. Retries for some seconds while the database fails: an answer that
    is not stored makes the outcome unknown, and a person would have to decide."""
    for pause in (0.2, 1.0, 5.0, None):
        try:
            async with desk.store.transaction("verdict") as tx:
                await tx.jobs.finish(job)
                await tx.deliveries.set_statuses(delivery.id, statuses)
                settled = await settle(tx, desk, inbox, await tx.deliveries.get(delivery.id))
            metrics.sent.labels(inbox.id, settled.state.value).inc()
            if settled.state is DeliveryState.SENT:
                took = desk.now() - max(settled.created_at, settled.planned_for) - inbox.undo
                metrics.delivery.labels(inbox.id).observe(max(0.0, took))
            return
        except Transient:
            if pause is None:
                raise
            await asyncio.sleep(pause)


async def _resolve_unknown(desk: Desk, job: Job[Deliver], inbox: Inbox, delivery: Delivery) -> None:
    """After a crash once DATA began: look in the Sent folder, otherwise let a person decide."""
    found = await _found_in_sent(desk, inbox, delivery)
    status = (
        (RecipientStatus.SENT, "found in the Sent folder")
        if found
        else (RecipientStatus.UNKNOWN, "")
    )
    statuses = {each.address.spec: status for each in delivery.open_recipients}
    await _verdict(desk, job, inbox, delivery, statuses)


async def _found_in_sent(desk: Desk, inbox: Inbox, delivery: Delivery) -> bool:
    """Whether the provider has a copy in the Sent folder. False once an earlier attempt reached
    a recipient: the copy may be from that attempt, so it proves nothing."""
    async with desk.store.reading() as tx:
        message_id = (await tx.deliveries.get(delivery.id)).message_id
        ids = [message_id] if message_id is not None else []
        left_before = bool(await tx.mails.conversations_of(inbox.id, ids))
    reached = any(recipient.status.arrived for recipient in delivery.recipients)
    if inbox.imap is None or message_id is None or reached or left_before:
        return False
    try:
        return await desk.mailbox.find_sent(inbox, message_id)
    except BridgeError:  # the outcome stays unknown, and a person is asked
        return False
    except Exception:  # the mail may have been sent, so the outcome stays unknown here, too
        log.exception("the Sent folder was not looked at")
        return False


async def _fail(desk: Desk, job: Job[Deliver], delivery: Delivery, why: str) -> None:
    async with desk.store.transaction("verdict") as tx:
        await tx.jobs.finish(job)
        failed = await tx.deliveries.update(
            delivery.id, state=DeliveryState.FAILED, detail=why, finished_at=desk.now()
        )
        await show_status(tx, desk, failed)
        await later.tell_of(tx, desk, failed)


async def _build(desk: Desk, job: Job[Deliver], inbox: Inbox, delivery: Delivery) -> bytes | None:
    """Read the source message and build the bytes that every attempt sends. None where it must not
    be attempted now: it was stopped, or differs from the preview and is shown again.

    Raises Refused when it must not be sent any more, Transient when the homeserver does not answer.
    """
    if await _ask_about_news(desk, job, delivery):
        return None
    mail = await writing.outgoing(desk, inbox, delivery)
    if delivery.shown and writing.digest(mail, delivery) != delivery.shown:
        async with desk.store.transaction("verdict") as tx:
            current = await tx.deliveries.get(delivery.id)
            if current.state in ATTEMPTABLE:
                await preview.again(tx, desk, current)
                await later.tell_of(tx, desk, current)
            await tx.jobs.finish(job)
        return None
    mime = await asyncio.to_thread(compose.build, mail)
    async with desk.store.transaction("built") as tx:
        await tx.jobs.assert_leased(job)
        current = await tx.deliveries.get(delivery.id)
        if current.state not in ATTEMPTABLE:  # stopped, or waiting for a new yes
            await tx.jobs.finish(job)
            return None
        _refuse_old_words(delivery, current)
        await tx.deliveries.set_mime(delivery.id, mime, mail.message_id, mail.text)
    return mime


async def _ask_about_news(desk: Desk, job: Job[Deliver], delivery: Delivery) -> bool:
    """Ask the agent first, where the customer wrote during the undo time and the agent has not read
    that mail. Returns whether it asked."""
    if delivery.form not in ANSWER_FORMS:
        return False
    async with desk.store.transaction("verdict") as tx:
        if (await tx.deliveries.get(delivery.id)).state not in ATTEMPTABLE:
            return False  # stopped, or waiting for a new yes; the caller checks that again
        conversation = await tx.conversations.get(delivery.conversation)
        latest = await tx.mails.latest(conversation.number)
        if latest is None or latest.id == delivery.answers or latest.at <= delivery.created_at:
            return False
        question = await unseen.question_if_unread(
            tx, delivery.agent, conversation, latest, delivery.created_at
        )
        if not question:
            return False
        asking = await tx.deliveries.update(
            delivery.id, state=DeliveryState.ASKING, question=question
        )
        await show_status(tx, desk, asking)
        await tx.jobs.finish(job)
        return True


async def copy(desk: Desk, job: Job[CopyToSent]) -> None:
    """Copy a sent mail to the Sent folder, unless the provider did already."""
    async with desk.store.reading() as tx:
        delivery = await tx.deliveries.get(job.task.delivery)
        mime = await tx.deliveries.mime(delivery.id)
    inbox = desk.inbox(delivery.inbox)
    provider = of_host(inbox.imap.host) if inbox.imap is not None else None
    kept_by_provider = inbox.sent_copy == "auto" and provider is not None and provider.keeps_sent
    message_id = delivery.message_id
    wanted = inbox.imap is not None and not kept_by_provider
    problem = ""
    if wanted and mime is not None and message_id is not None:
        found = await desk.mailbox.find_sent(inbox, message_id)
        try:
            if not found:
                await desk.mailbox.append_sent(inbox, mime)
        except Permanent as error:
            problem = str(error)
    async with desk.store.transaction("copied") as tx:
        await tx.jobs.finish(job)
        if wanted:
            await _tell_no_copy(tx, desk, inbox, problem)


async def _tell_no_copy(tx: Tx, desk: Desk, inbox: Inbox, problem: str) -> None:
    """Tell the control room once that copies are refused; forget it when one is taken again."""
    name = f"no-copy:{inbox.id}"
    known = await tx.settings.value(name)
    if problem and not known:
        await tx.settings.set_value(name, str(desk.now()))
        text = (
            f"⚠️ {inbox.name}: a copy of a sent mail cannot be put into the Sent folder. {problem}."
            " Mails are sent all the same. Make a folder Sent in the mailbox, or set"
            f" {desk.settings.command_prefix}inbox set {inbox.id} sent_copy never."
        )
        await tell_control(tx, desk, PostKey.other(Shows.ALARM, inbox.id, name, desk.now()), text)
    elif known and not problem:
        await tx.settings.drop_value(name)
