"""`!inbox`: shows, changes, publishes, pauses and removes inboxes by chat."""

from __future__ import annotations

from dataclasses import replace

from bridge.chat import admin as texts
from bridge.chat import setting
from bridge.config import inbox_form
from bridge.config.inbox import Inbox
from bridge.config.inbox_form import Values
from bridge.config.settings import ConfigError
from bridge.desk import directory
from bridge.desk.admin import question
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.desk.directory import touch
from bridge.desk.outbound import decisions, outage
from bridge.desk.team.agents import refuse_unfit
from bridge.model import InboxId, Permanent, Refused, Role
from bridge.model.oversight import InboxState, StoredDomain, StoredInbox
from bridge.model.task import Deliver
from bridge.ports import Tx

LIVE = InboxState.LIVE
MAY_HOLD_BLANKS = ("imap.folders", *inbox_form.SECRETS)
"""Keys of a mail server's settings whose value may contain spaces."""


async def list_(tx: Tx, desk: Desk, asked: Request) -> str:
    lines = [
        texts.inbox_line(inbox.id, inbox.name, inbox.address, _state(inbox, None), "config.yaml")
        for inbox in desk.directory.file.inboxes.values()
    ]
    for stored in await tx.inboxes.all():
        if stored.state is InboxState.REMOVED:
            continue
        live = desk.settings.inboxes.get(stored.id)
        problem = desk.directory.problems.get(stored.id, "")
        name = str(stored.values.get("name") or (live.name if live else stored.id.capitalize()))
        address = str(stored.values.get("address", "no address yet"))
        state = _state(live, stored) if not problem else f"cannot be used: {problem}"
        lines.append(texts.inbox_line(stored.id, name, address, state, "chat"))
    if not lines:
        return f"No inbox yet. {desk.settings.command_prefix}inbox add ADDRESS sets one up."
    return "\n".join(lines)


def _state(inbox: Inbox | None, stored: StoredInbox | None) -> str:
    if stored is not None and stored.state is InboxState.DRAFT:
        return "draft"
    return "paused" if inbox is not None and inbox.paused else "live"


async def show(tx: Tx, desk: Desk, asked: Request) -> str:
    inbox = await named(tx, desk, asked, 1)
    if isinstance(inbox, Inbox):
        lines = inbox_form.setting_lines(inbox, {}, {})
        head = texts.inbox_line(inbox.id, inbox.name, inbox.address, _state(inbox, None),
                                "config.yaml, read-only here")  # fmt: skip
        return "\n".join((head, *lines))
    live = desk.settings.inboxes.get(inbox.id)
    head = f"{inbox.id}: {_state(live, inbox)}, set up by chat"
    lines = inbox_form.setting_lines(None, inbox.values, inbox.secrets)
    if domain := desk.directory.shared(inbox):
        lines += [f"and what !domain show {domain.name} says, where nothing is said here"]
    return "\n".join((head, *lines))


async def set_(tx: Tx, desk: Desk, asked: Request) -> str:
    """Change one setting of an inbox set up by chat; a live inbox changes at once."""
    parts = asked.rest.split(maxsplit=2)
    if len(parts) < 3:
        raise Refused("Say what: !inbox set INBOX KEY VALUE, like !inbox set support imap.port 993")
    stored = await of_chat(tx, desk, asked)
    key, text = inbox_form.key_named(parts[1]), parts[2].strip()
    if key in ("agents", "leads") and stored.state is LIVE:
        raise Refused(f"{stored.id} is live: !agent add @who {stored.id} and !agent remove @who"
                      f" {stored.id} change who answers it. Nothing was changed.")  # fmt: skip
    return await change(tx, desk, asked, stored, key, text)


async def change(
    tx: Tx, desk: Desk, asked: Request, stored: StoredInbox, key: str, text: str
) -> str:
    """Set one key of an inbox from text. Raises Refused, and then nothing is changed."""
    values, secrets = written(desk, stored, key, text)
    changed = replace(stored, values=values, secrets=secrets, changed_at=desk.now())
    todo = ""
    whole = desk.directory.whole(changed)
    found = inbox_form.try_build(
        changed.id, whole.values, desk.directory.opened(whole.secrets, all_=False)
    )
    if isinstance(found, dict):
        # an inbox being set up may be incomplete, but an invalid value is not stored
        mine = [text for name, text in found.items() if name == key or stored.state is LIVE]
        if mine:
            raise Refused(f"{' '.join(mine)} Nothing was changed.")
        todo = f"\nStill to do: {' '.join(found.values())}"
    elif stored.state is LIVE:
        try:
            check(desk, found)
        except (Permanent, ConfigError) as error:
            raise Refused(f"{error} Nothing was changed.") from error
    await tx.inboxes.save(changed)
    if stored.state is LIVE:
        await touch(tx)
        if key.startswith("smtp.") and stored.id in desk.settings.inboxes:
            await outage.forget(tx, desk, desk.settings.inboxes[stored.id])
    said, deed = setting.changed(stored.id, key, text)
    await tx.audit.add(desk.now(), asked.who, f"inbox {stored.id}: {deed}")
    return said + todo


def written(
    desk: Desk, stored: StoredInbox | StoredDomain, key: str, text: str
) -> tuple[Values, dict[str, str]]:
    """Values and encrypted secrets with `key` set from text. Raises Refused for an OAuth2 client
    that the configuration does not have, and for several words where one is wanted: the others may
    be a password."""
    if key.startswith(("imap.", "smtp.")) and key not in MAY_HOLD_BLANKS and len(text.split()) > 1:
        raise Refused(f"{key} takes one word; set one key at a time. Nothing was changed.")
    if key.endswith(".oauth") and text not in (inbox_form.RESET, *desk.settings.oauth):
        there = ", ".join(desk.settings.oauth) or "none"
        raise Refused(f"config.yaml has no client {text[:40]} under oauth; there is {there}.")
    if key not in inbox_form.SECRETS:
        return inbox_form.with_key(stored.values, key, text), dict(stored.secrets)
    kept = {name: token for name, token in stored.secrets.items() if name != key}
    if text != inbox_form.RESET:
        kept[key] = desk.directory.vault.seal(text)
    return dict(stored.values), kept


def check(desk: Desk, inbox: Inbox) -> None:
    """Raises Refused for agents the inbox cannot have, ConfigError where it conflicts with another
    inbox."""
    for mxid in (*inbox.agents, *inbox.leads):
        refuse_unfit(desk, mxid, federate=inbox.federate)
    desk.settings.with_inbox(inbox)


def testing_failed(inbox: str) -> str:
    """The setting with what the last test of an inbox found wrong: the time at which the inbox as
    it was tested had changed, and the fault."""
    return f"test-failed:{inbox}"


async def save(tx: Tx, desk: Desk, stored: StoredInbox) -> None:
    await tx.inboxes.save(replace(stored, changed_at=desk.now()))
    await touch(tx)


async def pause(tx: Tx, desk: Desk, asked: Request) -> str:
    return await _set_paused(tx, desk, asked, True)


async def resume(tx: Tx, desk: Desk, asked: Request) -> str:
    return await _set_paused(tx, desk, asked, False)


async def _set_paused(tx: Tx, desk: Desk, asked: Request, paused: bool) -> str:
    stored = await of_chat(tx, desk, asked)
    if stored.state is not InboxState.LIVE:
        raise Refused(f"{stored.id} is a draft; !inbox publish {stored.id} takes it live.")
    if bool(stored.values.get("paused")) == paused:
        return f"{stored.id} is {'paused' if paused else 'live'} already."
    await save(tx, desk, replace(stored, values={**stored.values, "paused": paused}))
    for name in inbox_form.grants(desk.directory.whole(stored).values):
        await desk.grants.order(tx, name)
    for delivery in [] if paused else await tx.deliveries.under_way(stored.id):
        await tx.jobs.reschedule(Deliver(delivery.id), desk.now())
    deed = "paused" if paused else "resumed"
    await tx.audit.add(desk.now(), asked.who, f"inbox {stored.id}: {deed}")
    if paused:
        return (f"{stored.id} is paused: no mail is read and none is sent. What arrives waits in"
                f" the mailbox; !inbox resume {stored.id} takes it.")  # fmt: skip
    return f"{stored.id} is live again; what waited in the mailbox comes now."


async def remove(tx: Tx, desk: Desk, asked: Request) -> str:
    """Say what stays and ask for a confirmation; `!yes` removes the inbox."""
    stored = await of_chat(tx, desk, asked)
    prefix = desk.settings.command_prefix
    if stored.state is InboxState.DRAFT:
        await question.ask(tx, asked.who, question.REMOVE, stored.id, desk.now())
        return texts.draft_removal(stored.id, prefix)
    count = len(await tx.conversations.of_inbox(stored.id))
    await question.ask(tx, asked.who, question.REMOVE, stored.id, desk.now())
    return texts.removal(directory.silent(stored), count, prefix)


async def removed(tx: Tx, desk: Desk, asked: Request, inbox: InboxId) -> str:
    """Carry out a confirmed removal. Raises Refused where the inbox does not exist any more."""
    stored = await tx.inboxes.get(inbox)
    if stored is None or stored.state is InboxState.REMOVED:
        raise Refused(f"There is no inbox {inbox} any more.")
    if stored.state is InboxState.DRAFT:
        if await tx.conversations.numbers(stored.id):  # it was live earlier and has conversations
            await tx.inboxes.save(replace(stored, state=InboxState.REMOVED, secrets={}))
        else:
            await tx.inboxes.discard(stored.id)
        await tx.audit.add(desk.now(), asked.who, f"inbox {stored.id}: threw the draft away")
        return f"Draft {stored.id} is thrown away."
    silent = directory.silent(stored)
    for delivery in await tx.deliveries.under_way(inbox):
        await decisions.withdraw(tx, desk, silent, delivery, "the inbox was removed")
    for account, sharing in desk.settings.accounts().items():
        if [each.id for each in sharing] == [inbox]:
            await tx.settings.forget_account(account)
    await save(tx, desk, replace(stored, state=InboxState.REMOVED, secrets={}))
    await tx.audit.add(desk.now(), asked.who, f"inbox {inbox}: removed")
    return f"{inbox} is removed. Its conversations and their mail stay; its passwords are deleted."


async def found(tx: Tx, desk: Desk, name: InboxId) -> Inbox | StoredInbox | None:
    """The inbox with this id, from config.yaml or set up by chat; None for one that was removed."""
    stored = await tx.inboxes.get(name)
    if stored is not None and stored.state is InboxState.REMOVED:
        stored = None
    return desk.directory.file.inboxes.get(name) or stored


async def named(tx: Tx, desk: Desk, asked: Request, words: int) -> Inbox | StoredInbox:
    """The inbox that the first word names. Raises Refused where there are fewer than `words` words,
    or no such inbox."""
    if len(asked.words) < words:
        raise Refused("Say which inbox; !inbox list shows them.")
    inbox = await found(tx, desk, InboxId(asked.words[0].casefold()))
    if inbox is None:
        raise Refused(f"There is no inbox {asked.words[0][:60]}; !inbox list shows them.")
    return inbox


async def of_chat(tx: Tx, desk: Desk, asked: Request) -> StoredInbox:
    inbox = await named(tx, desk, asked, 1)
    if isinstance(inbox, Inbox):
        raise Refused(setting.in_file(inbox.id))
    return inbox


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "inbox list",
        Role.CONTROL,
        "",
        "Show every inbox, its state, and where it is set up.",
        list_,
    ),
    CommandSpec(
        "inbox show",
        Role.CONTROL,
        "INBOX",
        "Show the settings of an inbox, without its passwords.",
        show,
    ),
    CommandSpec(
        "inbox set",
        Role.CONTROL,
        "INBOX KEY VALUE",
        "Change one setting, like imap.port; the VALUE - restores its default. A live inbox "
        "changes at once. A password is redacted and kept encrypted.",
        set_,
    ),
    CommandSpec(
        "inbox pause",
        Role.CONTROL,
        "INBOX",
        "Stop reading and sending mail for now; what arrives waits in the mailbox.",
        pause,
    ),
    CommandSpec(
        "inbox resume",
        Role.CONTROL,
        "INBOX",
        "Read and send mail again after a pause.",
        resume,
    ),
    CommandSpec(
        "inbox remove",
        Role.CONTROL,
        "INBOX",
        "Remove an inbox. Says what stays, and asks first.",
        remove,
    ),
)
