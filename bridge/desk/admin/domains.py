"""`!domain`: what the inboxes of a domain share, and what DNS says of its mail, with the line to
put in where something lacks."""

from __future__ import annotations

import re
from dataclasses import replace

from bridge.chat import setting
from bridge.config import inbox_form, shared
from bridge.config.settings import ConfigError
from bridge.desk.admin import inboxes
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.desk.directory import domain_of, touch
from bridge.desk.outbound import outage
from bridge.desk.rooms.refresh import answer
from bridge.mail import domain as records
from bridge.model import CONTROL, InboxId, Job, Permanent, Refused, Role, ascii_domain
from bridge.model.admin_task import LookUpDomain
from bridge.model.dns import Question, Records
from bridge.model.oversight import InboxState, StoredDomain, StoredInbox
from bridge.ports import Tx

LOOKUP = 5.0
"""Seconds for everything that is asked of one domain."""


async def list_(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!domain list`: the domains of all inboxes, and who is there."""
    found: dict[str, list[str]] = {each.name: [] for each in await tx.domains.all()}
    for inbox in desk.settings.inboxes.values():
        for spec in (inbox.address, *inbox.aliases):
            found.setdefault(ascii_domain(spec.rpartition("@")[2]), []).append(spec)
    ours = desk.settings.ingress.domain
    lines = [
        f"{name}: {', '.join(specs) or 'no address yet'}"
        f"{' (with settings of its own)' * (name in desk.directory.domains)}"
        for name, specs in sorted(found.items())
    ]
    if ours:
        lines.append(f"{ours}: mail is forwarded there (!inbox forward)")
    return "\n".join(lines) or "No inbox yet, so no domain. !domain add DOMAIN begins with one."


async def show(tx: Tx, desk: Desk, asked: Request) -> None:
    """`!domain show DOMAIN`: the answer comes with a job, as name servers have to be asked."""
    await tx.jobs.add(LookUpDomain(asked.event.id, domain=_named(asked.rest)))


async def add(tx: Tx, desk: Desk, asked: Request) -> None:
    """`!domain add DOMAIN`: make a place for what its inboxes share; the answer says what DNS
    knows of it."""
    name = _named(asked.rest)
    if any(each.name == name for each in await tx.domains.all()):
        raise Refused(f"{name} is here already; !domain show {name} shows it.")
    await tx.domains.save(StoredDomain(name, {}, {}, desk.now()))
    await touch(tx)
    await tx.audit.add(desk.now(), asked.who, f"domain {name}: added")
    await tx.jobs.add(LookUpDomain(asked.event.id, domain=name, is_new=True))


async def set_(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!domain set DOMAIN KEY VALUE`: change what the inboxes of a domain share."""
    parts = asked.rest.split(maxsplit=2)
    if len(parts) < 3:
        raise Refused(
            "Say what: !domain set DOMAIN KEY VALUE, like !domain set acme.com imap.host"
            " mail.acme.com"
        )
    stored = await found(tx, parts[0])
    return await change(tx, desk, asked, stored, inbox_form.key_named(parts[1]), parts[2].strip())


async def change(
    tx: Tx, desk: Desk, asked: Request, stored: StoredDomain, key: str, text: str
) -> str:
    """Set one key of a domain from text. Raises Refused where the key is of one address, or the
    value fits none of the domain's live inboxes; then nothing is changed."""
    if not shared.can_share(key):
        raise Refused(
            f"{key} is of one address: !inbox set INBOX {key} VALUE. Nothing was changed."
        )
    values, secrets = inboxes.written(desk, stored, key, text)
    changed = replace(stored, values=values, secrets=secrets, changed_at=desk.now())
    whole = {**values, "address": f"postmaster@{stored.name}"}
    opened = desk.directory.opened(secrets, all_=False)
    wrong = inbox_form.try_build(InboxId("domain"), whole, opened)
    if isinstance(wrong, dict) and key in wrong and text != inbox_form.RESET:
        raise Refused(f"{wrong[key]} Nothing was changed.")
    live = [
        each for each in await tx.inboxes.all()
        if each.state is InboxState.LIVE and domain_of(each) == stored.name
    ]  # fmt: skip
    for each in live:
        fault = _fault(desk, each, changed)
        if fault and not _fault(desk, each, stored):  # one that is not of today
            raise Refused(f"That does not fit {each.id}: {fault} Nothing was changed.")
    await tx.domains.save(changed)
    await touch(tx)
    for each in live:
        if key.startswith("smtp.") and each.id in desk.settings.inboxes:
            await outage.forget(tx, desk, desk.settings.inboxes[each.id])
    said, deed = setting.changed(stored.name, key, text)
    await tx.audit.add(desk.now(), asked.who, f"domain {stored.name}: {deed}")
    used = ", ".join(each.id for each in live)
    return f"{said}\nIt holds for {used} at once." if used else said


def _fault(desk: Desk, inbox: StoredInbox, domain: StoredDomain) -> str:
    """Why an inbox cannot be used with what its domain says; empty where it can."""
    try:
        inboxes.check(desk, desk.directory.built(inbox, domain))
    except (Permanent, ConfigError) as error:
        return str(error)
    return ""


async def remove(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!domain remove DOMAIN`. Raises Refused while an inbox has an address there."""
    stored = await found(tx, asked.rest)
    there = [
        f"{each.values.get('address')} (inbox {each.id})"
        for each in await tx.inboxes.all()
        if each.state is not InboxState.REMOVED and domain_of(each) == stored.name
    ]
    if there:
        raise Refused(
            f"{stored.name} is not removed: it has {', '.join(there)}. Remove those first, with"
            f" !inbox remove; or take back what they share, with !domain set {stored.name} KEY -."
        )
    await tx.domains.discard(stored.name)
    await touch(tx)
    await tx.audit.add(desk.now(), asked.who, f"domain {stored.name}: removed")
    return f"{stored.name} is removed, and the passwords that were kept for it."


async def found(tx: Tx, text: str) -> StoredDomain:
    """The domain of that name that was added. Raises Refused where it was not."""
    name = _named(text)
    for each in await tx.domains.all():
        if each.name == name:
            return each
    raise Refused(f"{name} was not added yet: !domain add {name} makes a place for its settings.")


def _named(text: str) -> str:
    """The domain that a text names, in ASCII. Raises Refused."""
    name = ascii_domain(text.strip().rpartition("@")[2])
    if re.fullmatch(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", name) is None or len(name) > 240:
        raise Refused(
            "Say which, like !domain show example.com; !domain list has those of inboxes."
        )
    return name


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
    head = setting.of_domain(name, desk.directory.domains.get(name), is_new=job.task.is_new)
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        await answer(tx, desk, CONTROL, job.task.event, "\n".join((*head, *lines)))


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
        "Show what DNS says of a domain's mail (MX, SPF, DMARC, DKIM), the line to put in, and "
        "what its inboxes share.",
        show,
    ),
    CommandSpec(
        "domain add",
        Role.CONTROL,
        "DOMAIN",
        "Make a place for what the inboxes of a domain share: servers, passwords, templates.",
        add,
    ),
    CommandSpec(
        "domain set",
        Role.CONTROL,
        "DOMAIN KEY VALUE",
        "Set what its inboxes share, like imap.host; the VALUE - takes it back. It holds where "
        "an inbox says nothing itself.",
        set_,
    ),
    CommandSpec(
        "domain remove",
        Role.CONTROL,
        "DOMAIN",
        "Remove a domain that no inbox has an address of any more.",
        remove,
    ),
)
