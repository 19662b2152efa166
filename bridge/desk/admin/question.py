"""Stores the question that is open to an admin in the control room, and its subject."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bridge.config import inbox_form
from bridge.model import Mxid
from bridge.ports import Tx

ANSWER_WITHIN = 3600.0
"""Seconds after which a question expires, so that later text is not taken as its answer."""
REMOVE, ERASE, DROP, LOGIN = "remove", "erase", "drop", "login"
CONFIRMED_ACTIONS = (REMOVE, ERASE, DROP, LOGIN)
MAY_BE_SECRET = (*inbox_form.SECRETS, "imap.oauth")
"""Questions to which a password may be said: one asks whether there is one."""
ASKED, DEED = "asked:", "deed:"


@dataclass(frozen=True, slots=True)
class Asked:
    """An open question. `what`: a setting of an inbox being set up, or one of DEEDS (actions that
    wait for `!yes`). `about`: the inbox, address or job. `at`: epoch seconds."""

    what: str
    about: str
    at: float


async def ask(tx: Tx, who: Mxid, what: str, about: str, now: float) -> None:
    """Store a question to `who`, replacing an earlier one of its kind. A question about a setting
    and a question about an action can be open at the same time."""
    kind = DEED if what in CONFIRMED_ACTIONS else ASKED
    await tx.settings.set_value(f"{kind}{who}", json.dumps(asdict(Asked(what, about, now))))


async def asked(tx: Tx, who: Mxid, at: float) -> Asked | None:
    """The question about a setting that was open to `who` at time `at`, epoch seconds."""
    return _open(await tx.settings.value(f"{ASKED}{who}"), at)


async def confirmation(tx: Tx, who: Mxid, at: float) -> Asked | None:
    """The question about an action that waited for a yes of `who` at time `at`, epoch seconds."""
    return _open(await tx.settings.value(f"{DEED}{who}"), at)


async def forget(tx: Tx, who: Mxid) -> None:
    """Drop the question about a setting: it was answered or cancelled."""
    await tx.settings.drop_value(f"{ASKED}{who}")


async def decided(tx: Tx, who: Mxid) -> None:
    """Drop the question about an action: it was answered."""
    await tx.settings.drop_value(f"{DEED}{who}")


async def secrets_asked(tx: Tx, at: float) -> bool:
    """Whether any admin is being asked for a password; then any text may be one."""
    for value in (await tx.settings.values(ASKED)).values():
        open_ = _open(value, at)
        if open_ is not None and open_.what in MAY_BE_SECRET:
            return True
    return False


def _open(value: str | None, at: float) -> Asked | None:
    if value is None:
        return None
    found = Asked(**json.loads(value))
    return found if at - found.at < ANSWER_WITHIN else None
