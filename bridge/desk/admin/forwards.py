"""`!inbox forward`: addresses of our own to which the mail of an inbox can be forwarded."""

from __future__ import annotations

import base64
import secrets

from bridge.chat import hook as texts
from bridge.desk.addresses import MADE, made_for
from bridge.desk.admin import inboxes, testing
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.model import InboxId, Refused, Role
from bridge.ports import Tx

BITS = 80


async def forward(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!inbox forward INBOX [new | remove ADDRESS]`. An address stays until it is removed by name,
    for somebody may still forward to it."""
    inbox = testing.built(desk, await inboxes.named(tx, desk, asked, 1))
    domain = desk.settings.ingress.domain
    if not domain:
        raise Refused(
            "Mail is forwarded to an address at a domain of ours, and config.yaml names none under"
            " ingress. docs/ingress.md shows how."
        )
    if not inbox.receives:
        raise Refused(f"{inbox.id} takes no mail: !inbox set {inbox.id} direction both first.")
    made = await made_for(tx, inbox.id)
    if asked.words[1:2] == ["remove"]:
        return await _remove(tx, desk, asked, inbox.id, made)
    if not made or asked.words[1:2] == ["new"]:
        local = base64.b32encode(secrets.token_bytes(BITS // 8)).decode().lower()
        await tx.settings.set_value(MADE + local, inbox.id)
        await tx.audit.add(desk.now(), asked.who, f"inbox {inbox.id}: made {local}@{domain}")
        made.append(local)
    return texts.forwarded_to(inbox.id, inbox.address, [f"{local}@{domain}" for local in made])


async def _remove(tx: Tx, desk: Desk, asked: Request, inbox: InboxId, made: list[str]) -> str:
    local = (asked.words[2] if len(asked.words) > 2 else "").partition("@")[0].casefold()
    if local not in made:
        raise Refused(f"Say which address; !inbox forward {inbox} shows them.")
    await tx.settings.drop_value(MADE + local)
    await tx.audit.add(desk.now(), asked.who, f"inbox {inbox}: removed {local}")
    return f"{asked.words[2]} takes no mail any more."


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "inbox forward",
        Role.CONTROL,
        "INBOX [new | remove ADDRESS]",
        "Show the address to which the mail of an inbox can be forwarded; new makes another one.",
        forward,
    ),
)
