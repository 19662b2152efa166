"""Named points at which a test can kill, break or delay the program.

`BRIDGE_FAILPOINT=name:nth:action[,…]` with actions kill9, raise, sleep, enospc, busy runs the
action when this process reaches that point for the nth time (from 1). Without the variable a point
costs one comparison. Every commit, and every effect outside the process, has two points
(`NAME:before`, `NAME:after`).
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

COMMITS = {
    "accept": "raw mail, intake and receive job; the IMAP cursor moves here too",
    "account-progress": "an IMAP folder's cursor without a mail",
    "account-health": "what the last check of a mail account said",
    "receive": "mail, conversation, ids and posts of one intake",
    "setup": "rooms of the bridge that were made or found",
    "room": "a conversation's room was made",
    "posted": "a post reached its room",
    "placeholder": "a file that could not be uploaded yet is named in the room",
    "media-made": "an mxc address was reserved for a file",
    "uploaded": "a file's bytes are in the media repository",
    "transaction-in": "events pushed by the homeserver",
    "reconciled": "events found by /sync, and its token",
    "event": "what one Matrix event led to",
    "previewed": "a draft's preview, and what it showed",
    "built": "a delivery's bytes and Message-ID",
    "attempt": "an attempt to send and its next try, before dialling",
    "data-begun": "the SMTP DATA is about to start",
    "verdict": "what the SMTP server answered",
    "copied": "the copy in the Sent folder is settled",
    "lease": "jobs taken by this worker",
    "heartbeat": "leases prolonged",
    "retry": "a job is put back, or declared dead",
    "started": "leases of a dead process are freed",
    "told": "what the control room is told: alarms, findings, what failed",
    "erased": "a conversation is forgotten",
    "janitor": "what is over its days is forgotten, or ordered to be",
    "settings": "a value kept for the whole installation",
    "grant": "an OAuth2 grant's new tokens, its end, or who renews it",
}
EFFECTS = {
    "migrate": "one step of the schema",
    "matrix.send": "a message event is sent",
    "matrix.state": "a state event is sent",
    "matrix.redact": "an event is redacted",
    "matrix.member": "an invite, a kick or a join",
    "matrix.room": "a room is created, or its alias deleted",
    "matrix.register": "a ghost and its device are registered",
    "matrix.media": "an mxc address is reserved or filled",
    "smtp.dial": "connection, greeting, log-in",
    "smtp.data": "DATA, body and final dot",
    "imap.seen": "the Seen flag is set on the server",
    "hook.post": "another program is told of a mail",
    "oauth.post": "an authorization server is asked for a token",
    "imap.append": "a copy is put into the Sent folder",
}

_times_reached: dict[str, int] = {}
_armed: dict[str, tuple[int, str]] = {}


def names() -> list[str]:
    """Every point, in the order of the tables above."""
    return [f"{name}:{side}" for name in (*COMMITS, *EFFECTS) for side in ("before", "after")]


def arm(spec: str) -> None:
    """Arm the points in `name:side:nth:action[,…]`. Raises ValueError for an unknown point or
    action."""
    for item in filter(None, spec.split(",")):
        name, nth, action = item.rsplit(":", 2)
        if name not in names():
            raise ValueError(f"BRIDGE_FAILPOINT: no point {name!r}; see `postroom failpoints`")
        if action not in ("kill9", "raise", "sleep", "enospc", "busy"):
            raise ValueError(f"BRIDGE_FAILPOINT: no action {action!r}")
        _armed[name] = (int(nth), action)


def disarm() -> None:
    """Disarm all points and reset their counts (for tests)."""
    _armed.clear()
    _times_reached.clear()


async def reach(name: str) -> None:
    """Run the action of point `name` where it is armed and reached for the nth time."""
    if not _armed:
        return
    _times_reached[name] = _times_reached.get(name, 0) + 1
    nth, action = _armed.get(name, (0, ""))
    if _times_reached[name] != nth:
        return
    match action:
        case "kill9":
            os.kill(os.getpid(), signal.SIGKILL)
        case "sleep":
            await asyncio.sleep(1.0)
        case "enospc":
            raise OSError(errno.ENOSPC, "No space left on device (failpoint)")
        case "busy":
            raise sqlite3.OperationalError("database is locked (failpoint)")
        case _:
            raise RuntimeError(f"failpoint {name}")


@asynccontextmanager
async def around(name: str) -> AsyncIterator[None]:
    """Reach `name:before`, run the effect in the body, then reach `name:after`."""
    await reach(f"{name}:before")
    yield
    await reach(f"{name}:after")


arm(os.environ.get("BRIDGE_FAILPOINT", ""))
