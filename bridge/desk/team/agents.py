"""`!agent`: lists, adds and removes agents; the agents of an inbox are its queue room's members."""

from __future__ import annotations

from dataclasses import replace

from bridge.chat import command, room
from bridge.config.inbox import Inbox
from bridge.config.section import MXID
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.model import InboxId, Mxid, Place, PostKey, Refused, Role, Shows, Wanted
from bridge.ports import Tx


async def list_(tx: Tx, desk: Desk, asked: Request) -> str:
    lines = []
    for inbox in desk.settings.inboxes.values():
        leads = await leads_of(tx, inbox)
        joined = await tx.rooms.agents(inbox.id)
        people = [f"{mxid}{' (lead)' if mxid in leads else ''}" for mxid in joined]
        queue = await tx.rooms.find(Role.QUEUE, inbox.id)
        if queue is not None:
            invited = sorted(set(await tx.rooms.invited(queue.id)) - set(joined))
            people += [f"{mxid} (invited)" for mxid in invited if not desk.is_own(mxid)]
        lines.append(f"{inbox.name}: {', '.join(people) or 'nobody yet'}")
    lines += [f"{name}: cannot be used: {why}" for name, why in desk.directory.problems.items()]
    return "\n".join(lines) or f"No inbox yet; {desk.settings.command_prefix}inbox add begins one."


async def add(tx: Tx, desk: Desk, asked: Request) -> str:
    who, lead, inboxes = _said(desk, asked, "add @who:server [lead] [INBOX]")
    for inbox in inboxes:
        refuse_unfit(desk, who, federate=inbox.federate)
    done = []
    for inbox in inboxes:
        queue = await tx.rooms.find(Role.QUEUE, inbox.id)  # None before it is created
        await tx.inboxes.set_lead(inbox.id, who, lead)
        await set_queue_powers(tx, desk, inbox)
        membership = await tx.rooms.membership(queue.id, who) if queue is not None else ""
        if membership != "join":
            await invite(tx, desk, inbox.id, who, asked.event.id)
        what = "a lead" if lead else "an agent"
        await tx.audit.add(desk.now(), asked.who, f"inbox {inbox.id}: {who} is to be {what}")
        done.append(
            f"{who} is {what} of {inbox.name}." if membership == "join"
            else f"{who} is invited to {inbox.name} queue and is {what} once there."
        )  # fmt: skip
    return "\n".join(done)


async def invite(tx: Tx, desk: Desk, inbox: InboxId, who: Mxid, mark: str) -> None:
    """Invite somebody to a queue room; `mark` is the dedup key of the invitation."""
    queue = Place.queue(inbox)
    key = PostKey.other(Shows.INVITE, queue, who, mark)
    await tx.posts.put(Wanted.invitation(key, queue, desk.bot, who))


async def remove(tx: Tx, desk: Desk, asked: Request) -> str:
    who, _, inboxes = _said(desk, asked, "remove @who:server [INBOX]")
    done = []
    for inbox in inboxes:
        queue = await tx.rooms.find(Role.QUEUE, inbox.id)
        await tx.posts.withdraw_invitations(Place.space(inbox.id), who)
        asked_for = await tx.posts.withdraw_invitations(Place.queue(inbox.id), who)
        if queue is None or await tx.rooms.membership(queue.id, who) not in ("join", "invite"):
            done.append(
                f"{who} is not invited to {inbox.name} any more." if asked_for
                else f"{who} is not an agent of {inbox.name}."
            )  # fmt: skip
            continue
        await tx.inboxes.set_lead(inbox.id, who, False)
        # team/members removes them from all other rooms when the homeserver reports that they left
        key = PostKey.other(Shows.EXPEL, queue.id, who, asked.event.id)
        place, why = Place.at(queue.id), "no agent of this inbox any more"
        removal = Wanted.removal(key, place, desk.bot, who, why)
        await tx.posts.put(replace(removal, lane=f"expel:{queue.id}"))
        await tx.audit.add(desk.now(), asked.who, f"inbox {inbox.id}: {who} is no agent any more")
        done.append(f"{who} will be out of {inbox.name} and its rooms within a minute.")
    return "\n".join(done)


def _said(desk: Desk, asked: Request, usage: str) -> tuple[Mxid, bool, list[Inbox]]:
    """Parse the words of an `!agent` command into (person, whether as a lead, inboxes); the
    inbox may be left out if there is only one. Raises Refused with the usage."""
    typed = command.with_ids(asked.event.content, asked.rest).split()
    people = [word for word in typed if MXID.fullmatch(word)]
    others = [word.casefold() for word in typed if word not in people]
    lead = "lead" in others
    names = [word for word in others if word != "lead"]
    prefix = desk.settings.command_prefix
    if len(people) != 1:
        raise Refused(f"Say who: {prefix}agent {usage}, like @name:{desk.server_name}.")
    known = desk.settings.inboxes
    if not known:
        raise Refused(f"No inbox yet; {prefix}inbox add begins one.")
    if names == ["all"]:
        names = list(known)
    if not names and len(known) != 1:
        raise Refused(f"Say which inbox: {', '.join([*known, 'all'])}.")
    for name in names:
        if name not in known:
            raise Refused(f"There is no inbox {name[:60]}; there are {', '.join(known)}.")
    return Mxid(people[0]), lead, [known[InboxId(name)] for name in names or known]


def refuse_unfit(desk: Desk, mxid: str, *, federate: bool) -> None:
    """Raises Refused for a user who cannot be an agent: one of our own, or of another homeserver
    where the inbox does not federate."""
    if desk.is_own(mxid):
        raise Refused(f"{mxid} is the bridge's own user; name a person.")
    if not federate and not mxid.endswith(f":{desk.server_name}"):
        raise Refused(
            f"{mxid} is on another homeserver, and this inbox's rooms are closed to others. Name"
            f" somebody of {desk.server_name}; federate: true opens the rooms made from then on."
        )


async def leads_of(tx: Tx, inbox: Inbox) -> frozenset[Mxid]:
    """The leads of an inbox: those of the configuration, as changed by chat since."""
    named = await tx.inboxes.leads(inbox.id)
    return frozenset(
        {Mxid(lead) for lead in inbox.leads if named.get(Mxid(lead), True)}
        | {mxid for mxid, lead in named.items() if lead}
    )


async def set_queue_powers(tx: Tx, desk: Desk, inbox: Inbox) -> None:
    """Set the power levels of the queue room: leads have 50."""
    queue = await tx.rooms.find(Role.QUEUE, inbox.id)
    version = queue.version if queue else desk.room_version
    leads = sorted(await leads_of(tx, inbox))
    content = room.queue_power(inbox, leads, version, desk.bot)
    place = Place.queue(inbox.id)
    key = PostKey.other(Shows.POWERS, place)
    await tx.posts.put(Wanted.state(key, place, desk.bot, "m.room.power_levels", content))


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "agent list",
        Role.CONTROL,
        "",
        "Show who answers each inbox, and who is invited.",
        list_,
    ),
    CommandSpec(
        "agent add",
        Role.CONTROL,
        "@WHO [lead] [INBOX]",
        "Invite somebody to an inbox's queue room, as an agent or as a lead.",
        add,
    ),
    CommandSpec(
        "agent remove",
        Role.CONTROL,
        "@WHO [INBOX]",
        "Remove somebody from the queue room and every conversation of an inbox.",
        remove,
    ),
)
