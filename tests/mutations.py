"""`python -m tests.mutations N [SEED]`: N mails mutated at random are read; none may raise, take
over 2 s, or make something that no room can show."""

from __future__ import annotations

import json
import multiprocessing
import random
import resource
import sys
import time
from pathlib import Path

from bridge.chat import mail_event
from bridge.config.inbox import Inbox
from bridge.logs import logs
from bridge.mail.reading import read
from bridge.model import Conversation, InboxId, Number, State
from tests.mail.parts import part_bytes
from tests.mail.samples import SAMPLES

LONGEST = 2.0
MAX_EVENT = 60_000
INBOX = Inbox(id=InboxId("support"), name="Support", address="support@acme.example")
NASTY = (
    b"\0", b"\r", b"\n\n", b"\xff\xfe", b"=?utf-8?b?", b"?=", b"--", b"\n--b1\n", b"(" * 300,
    b"<" * 99,
    b"Content-Type: multipart/mixed; boundary=\n\n", b"Content-Type: message/rfc822\n\n",
    b"Content-Transfer-Encoding: x-uuencode\n", b"Content-Transfer-Encoding: base64\n",
    b"charset=utf-7", b"charset=idna", b'charset="\xff"', b"filename*0*=x''%", b"boundary=\"\"",
    b"<div>" * 200, b"<table><tr><td>" * 60, b"<b><p>" * 60, b"<!--", b"<![CDATA[", b"&#xD800;",
    b"\n> " * 200, b"\nOn 1.1.2024 13:00 a <b@c> wrote:\n",
    b"From: a\nTo: b\nSubject: c\nSent: d\n",
    "\u202e\u2066\ud7ff\U0010ffff".encode(), b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n", b"\x1b$B",
    b"A" * 3000, b" " * 3000, b"@" * 500, b"," * 500, b";" * 500, b"\\" * 99, b'"' * 99,
)  # fmt: skip


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """A mail with some bytes, lines or stretches changed, moved, doubled or lost."""
    data = bytearray(raw)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data) + 1)
        to = min(len(data), at + chance.choice((1, 1, 2, 8, 60, 400)))
        match chance.randrange(7):
            case 0 if data:
                data[min(at, len(data) - 1)] = chance.randrange(256)
            case 1:
                del data[at:to]
            case 2:
                data[at:at] = data[at:to] * chance.choice((1, 1, 2, 20))
            case 3:
                data[at:at] = chance.choice(NASTY)
            case 4:
                piece = bytes(data[at:to])
                del data[at:to]
                there = chance.randrange(len(data) + 1)
                data[there:there] = piece
            case 5:
                other = chance.choice(list(SAMPLES.values()))
                start = chance.randrange(len(other))
                data[at:at] = other[start : start + chance.choice((20, 200, 2000))]
            case _:
                lines = bytes(data).split(b"\n")
                chance.shuffle(lines[: chance.choice((4, 12))])
                data[at:to] = chance.choice(lines)
    return bytes(data)


def check(raw: bytes, *, all_parts: bool = False) -> None:
    """Read one mail as the bridge does. Raises what goes wrong."""
    began = time.process_time()
    mail, body = read(raw, "mx.acme.example", INBOX.own)
    about = Conversation(Number(1), INBOX.id, mail.sender, mail.subject, State.OPEN, 0, 0, None)
    above = mail_event.lines_above(mail, INBOX, about, ())
    content, _ = mail_event.content(mail, body, above, None)
    size = len(json.dumps(content, ensure_ascii=False).encode())
    took = time.process_time() - began
    assert size <= MAX_EVENT, f"an event of {size} bytes"
    assert "\0" not in json.dumps(content, ensure_ascii=False)
    assert took <= LONGEST, f"took {took:.1f} s"
    for each in mail.attachments[: None if all_parts else 1]:
        part_bytes(raw, each.part)


def run(count: int, seed: int) -> list[str]:
    """Mutate and read; returns what failed, with the seed that shows it again."""
    failures = []
    samples = list(SAMPLES.values())
    for number in range(count):
        chance = random.Random(f"{seed}.{number}")
        raw = mutated(chance.choice(samples), chance)
        try:
            check(raw)
        except Exception as error:  # noqa: BLE001 - each one is told with its seed
            Path(f"/tmp/mutation.{seed}.{number}.eml").write_bytes(raw)
            failures.append(f"seed {seed}.{number}: {type(error).__name__}: {error}")
    return failures


def _piece(order: tuple[int, int]) -> tuple[list[str], int]:
    logs("ERROR")
    return run(*order), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    logs("ERROR")
    total, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    piece = 10_000
    orders = [(min(piece, total - n), seed + n) for n in range(0, total, piece)]
    failures, most = [], 0
    with multiprocessing.Pool() as pool:
        for done, (found, memory) in enumerate(pool.imap_unordered(_piece, orders), 1):
            failures += found
            most = max(most, memory)
            print(f"{done}/{len(orders)} × {piece}: {len(failures)} failures", flush=True)
    print("\n".join(failures[:50]))
    print(f"{total} mails, {len(failures)} failures, at most {most // 1024} MB resident")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
