"""Write mails as one mbox file, in the reversible variant mboxrd (RFC 4155)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)


def entry(sender: str, at: float, raw: bytes) -> bytes:
    """An mbox entry: From line, the mail with LF line ends and quoted From lines, an empty line.

    `sender` is an address-spec, `at` epoch seconds.
    """
    clean = re.sub(r"[^\x21-\x7e]", "", sender) or "MAILER-DAEMON"
    day = datetime.fromtimestamp(at, UTC).strftime("%a %b %d %H:%M:%S %Y")
    body = FROM_LINE.sub(rb">\1", raw.replace(b"\r\n", b"\n"))
    return f"From {clean} {day}\n".encode() + body + (b"\n" if body.endswith(b"\n") else b"\n\n")
