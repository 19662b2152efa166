"""Loads the mails that a delivery forwards: text and files from the stored mails, never from the
room."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.mail.compose import File, Passage
from bridge.model import Address, MailId, Refused


@dataclass(frozen=True, slots=True)
class Forwarded:
    """One forwarded mail: the passage of text that quotes it, and its files."""

    passage: Passage
    files: tuple[File, ...]


async def of(desk: Desk, inbox: Inbox, letters: Sequence[MailId]) -> list[Forwarded]:
    """The mails in the given order. Raises Refused where the bytes of one are not stored any
    more."""
    found = []
    for id_ in letters:
        async with desk.store.reading() as tx:
            letter = await tx.mails.letter(id_)
            raw = await tx.mails.raw(letter.raw) if letter and letter.raw is not None else b""
        if letter is None or not raw:
            raise Refused("the bytes of a mail to forward are not kept any more")
        mail, body = await desk.reader.read(raw, inbox.authserv_id, inbox.own)
        at = time.strftime("%a, %d %b %Y at %H:%M", time.localtime(mail.date or letter.at))
        head = (
            ("From", str(mail.sender)), ("Date", at), ("Subject", mail.subject),
            ("To", _people(mail.to)), ("Cc", _people(mail.cc)),
        )  # fmt: skip
        text = mail.text or f"{body.text}\n{body.history}".strip()
        passage = Passage(
            tuple((key, value) for key, value in head if value), text,
            f"{body.html}\n{body.html_history}".strip(),
        )  # fmt: skip

        async def load(raw: bytes = raw) -> bytes:
            return raw

        files = [
            File(each.name, each.type, await desk.reader.part(f"raw:{letter.raw}", each.part, load))
            for each in mail.attachments
        ]
        found.append(Forwarded(passage, tuple(files)))
    return found


def _people(addresses: Sequence[Address]) -> str:
    return ", ".join(map(str, addresses))
