"""IMAP's syntax: strings, mailbox names, dates and responses (RFC 3501), and its errors."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

TOKEN = re.compile(
    rb' *(?:([()])|"((?:[^"\\]|\\.)*+)"|((?:\[[^][]{0,300}\]|[^\s()"])++))', re.DOTALL
)
DATE = re.compile(rb" ?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
MONTHS = b"jan feb mar apr may jun jul aug sep oct nov dec".split()


LATER = ("UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "OVERQUOTA")
"""Response codes after which trying later may work (RFC 5530)."""
PATIENCE = re.compile(
    r"\bbusy\b|unavailable|not available|try (?:again|later)|temporar|too many|rate.?limit"
    r"|throttl|overload|timed? ?out|not connected|in progress|maintenance|internal error"
    r"|server error",
    re.IGNORECASE,
)
"""What servers say when they cannot answer now (Exchange, Yahoo and others)."""


class ImapError(Exception):
    """Root of the errors that an IMAP connection raises."""


class ConnectionLost(ImapError):
    """The connection is lost: closed, refused, timed out, or the server broke the protocol."""


class LoginLost(ConnectionLost):
    """The connection was lost during the log-in, which the server may have counted."""


class TooLarge(ImapError):
    """The server announced more bytes than allowed; the connection is closed."""


class CommandRefused(ImapError):
    """The server answered NO or BAD; the connection stays open."""

    @property
    def code(self) -> str:
        """The response code: AUTHENTICATIONFAILED, TRYCREATE, NONEXISTENT … or empty."""
        found = re.match(r"(?:NO|BAD) \[([^] ]+)", str(self))
        return found[1].upper() if found else ""

    @property
    def is_temporary(self) -> bool:
        """Whether trying later may work: by the response code, else by what the server says, as
        many send none."""
        return self.code in LATER or (not self.code and PATIENCE.search(str(self)) is not None)


class LoginRefused(CommandRefused):
    """The server refused the log-in."""

    @property
    def is_temporary(self) -> bool:
        """Whether the response code says so. Words do not count: "too many failures, try later" is
        what follows a wrong password."""
        return self.code in LATER


class NotLoggedIn(LoginRefused):
    """There are no credentials: a person has to act first. No server was asked."""


class NoSuchMessage(CommandRefused):
    """The message was expunged."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A mailbox (folder) of the server. `wire` is its name as the server sent it."""

    name: str
    wire: str
    attributes: frozenset[str]
    """Lower case: \\sent, \\junk, \\noselect …"""
    delimiter: str | None


def quote(text: str) -> str:
    """A quoted string. Raises ValueError for control characters."""
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("control character in an IMAP string")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def utf7_encode(name: str) -> str:
    """Modified UTF-7 of a mailbox name (RFC 3501 §5.1.3)."""

    def shift(run: re.Match[str]) -> str:
        coded = base64.b64encode(run[0].encode("utf-16-be")).decode()
        return "&" + coded.rstrip("=").replace("/", ",") + "-"

    return re.sub(r"[^\x20-\x7e]+", shift, name.replace("&", "&-"))


def utf7_decode(wire: str) -> str:
    """A mailbox name decoded from modified UTF-7; invalid UTF-7 is returned unchanged."""

    def unshift(run: re.Match[str]) -> str:
        coded = run[1].replace(",", "/") + "=" * (-len(run[1]) % 4)
        return base64.b64decode(coded, validate=True).decode("utf-16-be") if run[1] else "&"

    try:
        return re.sub(r"&([^-]*)-", unshift, wire)
    except ValueError:
        return wire


def mailbox(folder: str | Folder) -> str:
    """A mailbox name as a command's argument."""
    return quote(folder.wire if isinstance(folder, Folder) else utf7_encode(folder))


def clean(text: bytes) -> str:
    """A server's reply for logs and people: one line, without control characters."""
    shown = text[:600].decode("utf-8", "replace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", shown).strip()


def parse(parts: list[bytes]) -> list[Any]:
    """A response (line, literal, line, …) as nested lists of bytes; an atom NIL is None.

    Raises ValueError or IndexError for a malformed response.
    """
    stack: list[list[Any]] = [[]]
    for i in range(0, len(parts), 2):
        line, pos = parts[i], 0
        if more := i + 1 < len(parts):
            line = line[: line.rindex(b"{")]
        while found := TOKEN.match(line, pos):
            pos = found.end()
            if found[1] == b"(":
                stack.append([])
            elif found[1]:
                done = stack.pop()
                stack[-1].append(done)  # IndexError for a ")" too many
            elif found[2] is not None:
                stack[-1].append(re.sub(rb"\\(.)", rb"\1", found[2], flags=re.DOTALL))
            else:
                stack[-1].append(None if found[3].upper() == b"NIL" else found[3])
        if line[pos:].strip():
            raise ValueError("unintelligible response")
        if more:
            stack[-1].append(parts[i + 1])
    if len(stack) != 1:
        raise ValueError("unbalanced response")
    return stack[0]


def parse_date(text: bytes) -> datetime:
    """An INTERNALDATE. An invalid one becomes 1970: an error would lose the whole FETCH of up to
    250 messages."""
    found = DATE.fullmatch(text)
    try:
        if found is None:
            raise ValueError("no date")
        day, month, year, hour, minute, second, sign, zone_hour, zone_minute = found.groups()
        zone = timedelta(hours=int(zone_hour), minutes=int(zone_minute))
        return datetime(
            int(year),
            MONTHS.index(month.lower()) + 1,
            int(day),
            int(hour),
            int(minute),
            int(second),
            tzinfo=timezone(-zone if sign == b"-" else zone),
        )
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
