"""A folder of mails that `postroom ingest` puts there, whether the bridge runs or not, and that the
bridge empties. A file is one line of JSON, the envelope, and then the mail as it came."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import secrets
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from bridge.desk import addresses
from bridge.desk.desk import Desk
from bridge.desk.inbound import pushed
from bridge.desk.inbound.pushed import Pushed
from bridge.desk.rooms.refresh import tell_control
from bridge.model import Address, BridgeError, PostKey, Shows

log = structlog.get_logger("spool")

LOOK = 1.0
"""Seconds between looks into the folder."""
AT_ONCE = 50
"""How many mails are taken between two looks at the others."""
ADDRESSES = "addresses"
"""The file with the addresses of all inboxes, which the bridge writes: some stand in its database
only, which `postroom ingest` never touches."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A mail in the folder."""

    path: Path
    to: tuple[str, ...]
    sender: str
    raw: bytes = field(repr=False)


def put(folder: Path, to: Sequence[str], sender: str, raw: bytes) -> None:
    """Store a mail so that it outlives a loss of power. Raises OSError."""
    make_folder(folder)
    for name in ("tmp", "new"):
        make_folder(folder / name)
    name = f"{time.time_ns()}.{os.getpid()}.{secrets.token_hex(4)}"
    beside = folder / "tmp" / name
    try:
        with beside.open("xb") as file:
            file.write(json.dumps({"to": list(to), "from": sender}).encode() + b"\n" + raw)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o660)
        beside.rename(folder / "new" / name)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    _sync(folder / "new")


def make_folder(folder: Path) -> None:
    """Make a folder that the group of its parent may use, whatever the umask: the bridge and a mail
    server's pipe may be different users."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):  # somebody else made it meanwhile
            folder.chmod(0o2770)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def waiting(folder: Path, but: Collection[str] = ()) -> Iterator[Path]:
    """The mails in the folder, the oldest first, without some names."""
    with contextlib.suppress(FileNotFoundError):
        names = (name for name in sorted(os.listdir(folder / "new")) if name not in but)
        for name in itertools.islice(names, AT_ONCE):
            yield folder / "new" / name


def read(path: Path) -> Spooled:
    """Raises ValueError for a file that `put` did not write."""
    envelope, _, raw = path.read_bytes().partition(b"\n")
    try:
        found = json.loads(envelope)
        return Spooled(path, tuple(map(str, found["to"])), str(found["from"]), raw)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} does not begin with an envelope") from error


def known(folder: Path) -> frozenset[str] | None:
    """The addresses that the bridge wrote down; None where it never ran."""
    try:
        return frozenset((folder / ADDRESSES).read_text().split()) or None
    except FileNotFoundError:
        return None


class SpoolWatcher:
    """Empties the folder: a mail is deleted there once it is committed here."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._folder = desk, desk.settings.spool
        self._written: frozenset[str] = frozenset()
        self._told: set[str] = set()

    async def run(self) -> None:
        """Look into the folder until cancelled."""
        while True:
            try:
                await self._write_addresses()
                taken = await self._empty()
            except (BridgeError, OSError) as error:
                log.warning("spool not emptied", error=str(error))
                taken = False
            except Exception:
                log.exception("spool not emptied")
                taken = False
            if not taken:
                await asyncio.sleep(LOOK)

    async def _empty(self) -> bool:
        """Take what is there; whether there was something."""
        taken = False
        paths = await asyncio.to_thread(lambda: list(waiting(self._folder, self._told)))
        for path in paths:
            try:
                taken = await self._take(path) or taken
            except FileNotFoundError:
                continue  # another process took it
            except BridgeError:
                raise  # nothing can be stored now
            except Exception as error:  # noqa: BLE001 - one file keeps no other back
                await self._tell(path, f"the spool has a file that cannot be read: {error}")
        return taken

    async def _take(self, path: Path) -> bool:
        try:
            mail = await asyncio.to_thread(read, path)
        except ValueError as error:
            await self._tell(path, f"the spool has a file that is no mail: {error}")
            return False
        inboxes = await addresses.owners(self._desk, mail.to)
        others = self._desk.settings.ingress.others_to
        if not inboxes and others in self._desk.settings.inboxes:
            inboxes = [others]
        if not inboxes:
            to = ", ".join(mail.to)
            await self._tell(path, f"the spool has a mail to {to}, which no inbox has any more")
            return False
        await pushed.take(self._desk, "spool", [(inboxes, Pushed(mail.raw, mail.to, mail.sender))])
        await asyncio.to_thread(path.unlink, missing_ok=True)
        return True

    async def _tell(self, path: Path, text: str) -> None:
        """Tell the admins of a file that stays where it is, once."""
        if path.name in self._told:
            return
        self._told.add(path.name)
        log.warning("spooled mail not taken", file=path.name)
        async with self._desk.store.transaction("told") as tx:
            key = PostKey.other(Shows.HOOK, "spool", path.name)
            await tell_control(tx, self._desk, key, f"⚠️ {text} ({path})")

    async def _write_addresses(self) -> None:
        """Write down the addresses that are taken, where they changed."""
        ours = await addresses.taken(self._desk)
        if ours == self._written:
            return
        await asyncio.to_thread(_write, self._folder, ours)
        self._written = ours


def _write(folder: Path, addresses: frozenset[str]) -> None:
    make_folder(folder)
    beside = folder / f".{ADDRESSES}"
    with beside.open("w") as file:
        file.write("\n".join(sorted(addresses)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.chmod(0o640)
    beside.rename(folder / ADDRESSES)


def is_known(folder: Path, configured: Collection[str], spec: str) -> bool | None:
    """Whether an inbox has an address, or a +tag of it; None where nobody can say yet."""
    address, found = Address(spec), known(folder)
    if address.is_of(frozenset(found or ()) | frozenset(configured)):
        return True
    return None if found is None else False
