"""Previews a mail as the customer would see it, in the room and behind a link; applies edits."""

from __future__ import annotations

from bridge.chat import command
from bridge.chat import draft as texts
from bridge.chat.command import Command
from bridge.chat.render import QUOTES
from bridge.desk.desk import Desk
from bridge.desk.outbound import approval, compose, forward, writing
from bridge.desk.outbound.decisions import stop
from bridge.desk.outbound.dispatch import show_status, status_of
from bridge.mail.charset import clean_line
from bridge.model import (
    PREVIEWED_DELIVERIES,
    Delivery,
    DeliveryState,
    Form,
    Job,
    Permanent,
    Refused,
)
from bridge.model.task import Deliver, ShowPreview
from bridge.ports import Tx


async def preview(desk: Desk, job: Job[ShowPreview]) -> None:
    """Show the current version of a mail and store its digest: only what was shown may be sent."""
    async with desk.store.reading() as tx:
        delivery = await tx.deliveries.find(job.task.delivery)
        question = await tx.deliveries.question(job.task.delivery)
    if delivery is None or delivery.state not in PREVIEWED_DELIVERIES:
        async with desk.store.transaction("previewed") as tx:
            await tx.jobs.finish(job)
        return
    inbox = desk.inbox(delivery.inbox)
    shown, gone = "", ""
    try:
        mail = await writing.outgoing(desk, inbox, delivery)
        shown = writing.digest(mail, delivery)
        link = ""
        if desk.settings.public_url:
            token = desk.preview_links.sign(delivery.id)
            link = desk.preview_links.url_of(desk.settings.public_url, token)
        asks = desk.with_prefix(texts.ask(delivery, inbox.approval))
        content = texts.preview(delivery, mail, asks, desk.with_prefix(question), link)
    except Refused as error:
        gone = str(error)
    except Permanent as error:
        content = texts.problem(delivery, desk.with_prefix(str(error)))
    async with desk.store.transaction("previewed") as tx:
        await tx.jobs.finish(job)
        current = await tx.deliveries.get(delivery.id)
        if current.state not in PREVIEWED_DELIVERIES or current.wording != delivery.wording:
            return  # decided or edited meanwhile; after an edit another preview job runs
        if gone:
            await stop(tx, desk, current, gone)
            return
        await tx.deliveries.update(delivery.id, shown=shown)
        content[QUOTES] = shown[:16]  # makes a new post of a preview that reads alike
        await tx.posts.put(status_of(desk, delivery, content))


async def reword(tx: Tx, desk: Desk, delivery: Delivery) -> None:
    """Apply an edit of the source message to a waiting mail. One that was previewed is previewed
    again and needs a new yes."""
    looked_at = bool(delivery.shown)
    delivery = await tx.deliveries.add_revision(delivery.id)
    if delivery.state is DeliveryState.WAITING and looked_at:
        await again(tx, desk, delivery)
        return
    if delivery.state in PREVIEWED_DELIVERIES:
        await tx.deliveries.update(delivery.id, shown="")
    else:
        detail = delivery.detail
        if "as edited" not in detail:
            detail = f"{detail} · as edited".removeprefix(" · ")
        delivery = await tx.deliveries.update(delivery.id, detail=detail)
    await show_status(tx, desk, delivery)


async def readdress(tx: Tx, desk: Desk, delivery: Delivery, said: Command) -> bool:
    """Apply an edit of `!compose` or `!forward`, which may change recipients and subject. Where the
    edited command is not valid, stops the mail rather than send the old one, and returns False."""
    composes, takes_all = delivery.form is Form.COMPOSE, False
    if composes:
        addresses, rest = command.addressed(said.rest)
    else:
        takes_all, addresses, rest = command.forwarded(said.rest)
    subject, _, text = rest.partition("\n")
    subject = clean_line(subject, 300)
    why = ""
    if not addresses:
        why = "the edit names no address to send it to"
    elif any(each.is_of(desk.own_addresses) for each in addresses):
        why = "the edit names an inbox of ours"
    elif composes and not (subject and text.strip()):
        why = "the edit left it without subject or text"
    elif composes:
        await compose.amend(tx, desk, delivery, addresses, subject, text.strip())
    else:
        try:
            await forward.amend(tx, desk, delivery, addresses, takes_all=takes_all)
        except Refused:
            why = "the mail it replied to is no longer in this conversation"
    if why:
        await stop(tx, desk, delivery, why)
    return not why


async def again(tx: Tx, desk: Desk, delivery: Delivery) -> None:
    """Preview a changed mail again and wait for a new yes: it differs from what was shown."""
    await tx.jobs.drop(Deliver(delivery.id))
    state = DeliveryState.DRAFT
    if await approval.is_needed(tx, desk.inbox(delivery.inbox), delivery):
        state = DeliveryState.APPROVING
    await tx.deliveries.add_revision(delivery.id)
    delivery = await tx.deliveries.update(delivery.id, state=state, shown="")
    await show_status(tx, desk, delivery)
