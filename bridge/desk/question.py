"""The one question an admin is being asked in the control room, and what it is about."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bridge.model import Mxid
from bridge.ports import Tx

ANSWER_WITHIN = 3600.0
"""Seconds after which a question is forgotten: talk must not become an answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`what` is a key of an inbox being set up, or a deed that waits for `!yes`."""

    what: str
    about: str
    at: float


REMOVE, ERASE, DROP = "remove", "erase", "drop"
DEEDS = (REMOVE, ERASE, DROP)


async def ask(tx: Tx, who: Mxid, what: str, about: str, now: float) -> None:
    """Remember what `who` is asked; an earlier question of theirs is forgotten."""
    await tx.keep.set_value(f"asked:{who}", json.dumps(asdict(Asked(what, about, now))))


async def asked(tx: Tx, who: Mxid, at: float) -> Asked | None:
    """The question that was open to `who` at a moment, epoch seconds."""
    value = await tx.keep.value(f"asked:{who}")
    if value is None:
        return None
    found = Asked(**json.loads(value))
    return found if at - found.at < ANSWER_WITHIN else None


async def forget(tx: Tx, who: Mxid) -> None:
    await tx.keep.drop_value(f"asked:{who}")
