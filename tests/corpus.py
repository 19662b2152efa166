"""`make corpus DIR=…`: reads every mail of a folder as the bridge does, and counts what went wrong.

Files are mails, mbox files hold many. Exit 1 on any exception, over 1 % that could not be read
whole, p99 over 250 ms (of a hundred and more), any over 2 s, or under 99 % whose every word is
found again in what the room shows, its fold or its files.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import mailbox
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from inscriptis import get_text

from bridge.chat import file_event, mail_event
from bridge.config.inbox import Inbox
from bridge.mail.quote import Body
from bridge.model import Attachment, Conversation, InboxId, Mail, Number, State
from bridge.sandbox.reader import MailReader
from bridge.sandbox.starter import ReadingProcess
from tests import clients

INBOX = Inbox(id=InboxId("support"), name="Support", address="support@acme.example")
NO_MAILS = ("license", "readme")
MAX_EVENT = 60_000
P99, LONGEST = 0.25, 2.0
"""Seconds of processor time."""


@dataclass
class Count:
    """What a run found."""

    messages: int = 0
    events: int = 0
    quarantined: int = 0
    exceptions: int = 0
    wordless: int = 0
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def at(self, share: float) -> float:
        """Milliseconds under which a share of the mails was read."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    @property
    def is_good(self) -> bool:
        return (
            bool(self.messages)
            and not self.exceptions
            and self.quarantined * 100 <= self.messages
            and (self.messages < 100 or self.at(0.99) <= 1000 * P99)
            and max(self.seconds) <= LONGEST
            and self.wordless * 100 <= self.messages
        )

    def table(self) -> str:
        rows = (
            ("messages", self.messages), ("events", self.events),
            ("not read whole", self.quarantined), ("exceptions", self.exceptions),
            ("with words missing", self.wordless), ("p50 ms", f"{self.at(0.5):.2f}"),
            ("p99 ms", f"{self.at(0.99):.1f}"), ("max ms", f"{self.at(1):.1f}"),
        )  # fmt: skip
        return "\n".join(f"{name:20}{value:>10}" for name, value in rows)


def mails(folder: Path) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of every mail below a folder, or in a file."""
    paths = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    for path in paths:
        if not path.is_file() or path.stem.lower() in NO_MAILS or path.name.startswith("."):
            continue
        raw = path.read_bytes()
        if raw.startswith(b"From ") and (path.suffix == ".mbox" or b"\n\nFrom " in raw):
            with contextlib.closing(mailbox.mbox(path)) as box:
                for number, key in enumerate(box.keys()):
                    yield f"{path}#{number}", box.get_bytes(key)
        else:
            yield str(path), raw


async def run(folder: Path) -> Count:
    """Read everything below `folder`."""
    count, process = Count(), ReadingProcess()
    reader = MailReader(process)
    try:
        await _read_all(folder, count, reader)
    finally:
        reader.close()
        process.close()
    return count


async def _read_all(folder: Path, count: Count, reader: MailReader) -> None:
    for name, raw in mails(folder):
        count.messages += 1
        before = reader.spent
        try:
            mail, body = await reader.read(raw, "", INBOX.own)
            count.seconds.append(reader.spent - before)
            events, files = await _shown(reader, raw, mail, body)
        except Exception as error:  # noqa: BLE001 - each one is counted
            count.exceptions += 1
            count.failures.append(f"{name}: {type(error).__name__}: {error}")
            continue
        count.events += len(events)
        if mail.problem:
            count.quarantined += 1
            count.failures.append(f"{name}: {mail.problem}")
        elif missing := _missing(raw, mail, events, files):
            count.wordless += 1
            count.failures.append(f"{name}: words missing: {' '.join(sorted(missing)[:8])}")
        if count.seconds[-1] > LONGEST:
            count.failures.append(f"{name}: took {count.seconds[-1]:.1f} s")


async def _shown(
    reader: MailReader, raw: bytes, mail: Mail, body: Body
) -> tuple[list[dict[str, object]], list[bytes]]:
    """The events of a mail, each checked to be one that a homeserver takes, and its files."""
    about = Conversation(Number(1), INBOX.id, mail.sender, mail.subject, State.OPEN, 0, 0, None)
    above = mail_event.lines_above(mail, INBOX, about, ())
    content, cut = mail_event.content(mail, body, above, None)
    events, files = [content], []
    if cut:
        files.append((body.whole or mail.text).encode())

    async def load() -> bytes:
        return raw

    key = str(hash(raw))
    for each in mail.attachments:
        data = await reader.part(key, each.part, load)
        assert len(data) == each.size, f"{each.name} has {len(data)} bytes, not {each.size}"
        files.append(data)
        events.append(file_event.content(each, "mxc://x/y", each.size))
        json.dumps(file_event.placeholder(Attachment(0, each.name, each.type, each.size)))
    for event in events:
        size = len(json.dumps(event, ensure_ascii=False).encode())
        assert size <= MAX_EVENT, f"an event has {size} bytes"
    return events, files


WORD = re.compile(r"\w+")
ENCODED = re.compile(r"(?ms)^begin [0-7]{3,4}\b.*?^end\r?$")
"""A file that was written into a text by uuencode."""


def _missing(
    raw: bytes, mail: Mail, events: list[dict[str, object]], files: list[bytes]
) -> set[str]:
    """Words of the mail's text parts that are nowhere in what is shown. The parts are found by
    Python's package alone, the words of HTML by inscriptis."""
    message, formatted = message_from_bytes(raw), str(events[0].get("formatted_body", ""))
    shown = "\n".join(clients.lines(formatted))
    found = set(WORD.findall(f"{events[0]['body']} {shown}"))
    texts = [*_texts(message, "text/plain")]
    if sum(len(ENCODED.findall(text)) for text in texts) <= len(files):
        texts = [ENCODED.sub("", text) for text in texts]
    missing = _words_of(texts) - found
    # the words of HTML are apart in the client that drops most tags
    missing |= _words_of(_texts(message, "text/html")) - (
        set(WORD.findall(shown)) if formatted else found
    )
    for data in files if missing else ():
        for charset in ("utf-8", "latin-1"):
            text = data.decode(charset, "replace")
            missing -= set(WORD.findall(text))
            if missing and "<" in text:  # inscriptis makes words of bullets, in files as in parts
                missing -= set(WORD.findall(get_text(text)))
    return missing


def _words_of(texts: Iterator[str]) -> set[str]:
    return {word for text in texts for word in WORD.findall(text)}


def _texts(message: Message, kind: str) -> Iterator[str]:
    """The texts a mail program would show or offer: every part of a kind that can be decoded."""
    for part in _walk(message):
        if part.get_content_type() != kind:
            continue
        data = part.get_payload(decode=True)
        try:
            text = data.decode(part.get_content_charset() or "utf-8")  # type: ignore[union-attr]  # a leaf has bytes
        except (LookupError, ValueError, AttributeError):
            continue
        yield get_text(text) if kind == "text/html" else text


def _walk(message: Message) -> Iterator[Message]:
    """The leaves; a message inside is a file and no part of this one."""
    inner = message.get_payload()
    if message.get_content_maintype() == "message" or not isinstance(inner, list):
        yield message
        return
    for part in inner:
        yield from _walk(part)


def main() -> int:
    if len(sys.argv) != 2 or not Path(sys.argv[1]).exists():
        print("name a folder of mail: make corpus DIR=/path/to/mail", file=sys.stderr)
        return 2
    count = asyncio.run(run(Path(sys.argv[1])))
    print("\n".join(count.failures))
    print(count.table())
    print("corpus: ok" if count.is_good else "corpus: FAILED")
    return 0 if count.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
