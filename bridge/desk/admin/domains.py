"""`!domain`: what DNS says of a domain's mail, and the line to put in where something lacks."""

from __future__ import annotations

import re

from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import answer
from bridge.mail import domain as records
from bridge.model import CONTROL, Job, Refused, Role, ascii_domain
from bridge.model.admin_task import LookUpDomain
from bridge.model.dns import Question, Records
from bridge.ports import Tx

LOOKUP = 5.0
"""Seconds for everything that is asked of one domain."""


async def list_(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!domain list`: the domains of all inboxes, and who is there."""
    found: dict[str, list[str]] = {}
    for inbox in desk.settings.inboxes.values():
        for spec in (inbox.address, *inbox.aliases):
            found.setdefault(ascii_domain(spec.rpartition("@")[2]), []).append(spec)
    ours = desk.settings.ingress.domain
    lines = [f"{name}: {', '.join(specs)}" for name, specs in sorted(found.items())]
    if ours:
        lines.append(f"{ours}: mail is forwarded there (!inbox forward)")
    return "\n".join(lines) or "No inbox yet, so no domain."


async def show(tx: Tx, desk: Desk, asked: Request) -> str | None:
    """`!domain show DOMAIN`: the answer comes with a job, as name servers have to be asked."""
    name = ascii_domain(asked.rest.strip().rpartition("@")[2])
    if re.fullmatch(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", name) is None or len(name) > 240:
        raise Refused(
            "Say which, like !domain show example.com; !domain list has those of inboxes."
        )
    await tx.jobs.add(LookUpDomain(asked.event.id, domain=name))
    return None


async def look_up(desk: Desk, job: Job[LookUpDomain]) -> None:
    """Ask the name servers, and answer with one line for each kind of record."""
    name = job.task.domain
    found = await desk.names.ask(records.questions(name), LOOKUP)
    included = await _included(desk, found.get(Question(name)))
    hosts = [
        inbox.smtp.host
        for inbox in desk.settings.inboxes.values()
        if inbox.domain == name and inbox.smtp is not None
    ]
    lines = [
        f"{each.grade} {each.text}"
        for each in records.findings(name, found, included, hosts[0] if hosts else "")
    ]
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        await answer(tx, desk, CONTROL, job.task.event, "\n".join((f"Mail of {name}:", *lines)))


async def _included(desk: Desk, first: Records | None) -> dict[str, str]:
    """The SPF records that the domain's own goes on with, level by level, as far as counts."""
    known: dict[str, str] = {}
    wanted = {name for record in records.spf_of(first) for name in records.named_in(record)}
    while wanted and len(known) <= records.LOOKUPS:
        answers = await desk.names.ask((Question(name) for name in sorted(wanted)), LOOKUP)
        fresh = {q.name: spf[0] for q, found in answers.items() if (spf := records.spf_of(found))}
        known |= fresh
        wanted = {each for text in fresh.values() for each in records.named_in(text)} - known.keys()
    return known


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "domain list",
        Role.CONTROL,
        "",
        "Show the domains of all inboxes, and their addresses.",
        list_,
    ),
    CommandSpec(
        "domain show",
        Role.CONTROL,
        "DOMAIN",
        "Show what DNS says of a domain's mail (MX, SPF, DMARC, DKIM), and the line to put in.",
        show,
    ),
)
