"""What an admin is being asked in the control room, and what it is about."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bridge.config import inbox_form
from bridge.model import Mxid
from bridge.ports import Tx

ANSWER_WITHIN = 3600.0
"""Seconds after which a question is forgotten: talk must not become an answer."""
REMOVE, ERASE, DROP = "remove", "erase", "drop"
DEEDS = (REMOVE, ERASE, DROP)
ASKED, DEED = "asked:", "deed:"


@dataclass(frozen=True, slots=True)
class Asked:
    """`what` is a key of an inbox being set up, or a deed that waits for `!yes`."""

    what: str
    about: str
    at: float


async def ask(tx: Tx, who: Mxid, what: str, about: str, now: float) -> None:
    """Remember what `who` is asked; an earlier question of the kind is forgotten. The questions
    of a draft and the one about a deed stand side by side."""
    kind = DEED if what in DEEDS else ASKED
    await tx.settings.set_value(f"{kind}{who}", json.dumps(asdict(Asked(what, about, now))))


async def asked(tx: Tx, who: Mxid, at: float) -> Asked | None:
    """The question of a draft that was open to `who` at a moment, epoch seconds."""
    return _open(await tx.settings.value(f"{ASKED}{who}"), at)


async def deed(tx: Tx, who: Mxid, at: float) -> Asked | None:
    """The deed that waited for a yes of `who`."""
    return _open(await tx.settings.value(f"{DEED}{who}"), at)


async def forget(tx: Tx, who: Mxid) -> None:
    """The draft's question is answered, or given up."""
    await tx.settings.drop_value(f"{ASKED}{who}")


async def decided(tx: Tx, who: Mxid) -> None:
    """The deed's question is answered."""
    await tx.settings.drop_value(f"{DEED}{who}")


async def secrets_asked(tx: Tx, at: float) -> bool:
    """Whether anybody is being asked for a password: whoever speaks then may be saying it."""
    for value in (await tx.settings.values(ASKED)).values():
        open_ = _open(value, at)
        if open_ is not None and open_.what in inbox_form.SECRETS:
            return True
    return False


def _open(value: str | None, at: float) -> Asked | None:
    if value is None:
        return None
    found = Asked(**json.loads(value))
    return found if at - found.at < ANSWER_WITHIN else None
