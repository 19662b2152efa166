"""`!audit`: shows what admins changed, when and who."""

from __future__ import annotations

import re

from bridge.chat import admin as texts
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.model import Role
from bridge.ports import Tx


async def audit(tx: Tx, desk: Desk, asked: Request) -> str:
    count = int(asked.rest) if re.fullmatch("[0-9]{1,4}", asked.rest) else 20
    return texts.audit(await tx.audit.last(min(max(count, 1), 100)), desk.now())


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "audit",
        Role.CONTROL,
        "[COUNT]",
        "Show what admins changed: who, what and when.",
        audit,
    ),
)
