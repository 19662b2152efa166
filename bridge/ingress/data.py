"""What follows DATA: a mail up to the dot that stands alone (RFC 5321 §4.5.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PIECE = 64 * 1024
SMALL = 1 << 20
"""Bytes of a mail that is copied in the event loop's own thread."""
END = b"\r\n.\r\n"
FULL = "452 4.3.1 Too much mail at once; send it again later"


class Refused(Exception):
    """A mail was read to its end and is not taken; its text is the answer."""


async def read(
    reader: asyncio.StreamReader, limit: int, grow: Callable[[int], bool], alive: Callable[[], None]
) -> bytes:
    """The mail of at most `limit` bytes. `grow` says whether so many bytes may be held, `alive` is
    called with each piece. Raises Refused, ConnectionResetError where the client hangs up."""
    data, refused = bytearray(b"\r\n"), ""  # a dot may stand in the first line
    while True:
        piece = await reader.read(PIECE)
        if not piece:
            raise ConnectionResetError
        alive()
        begin = max(0, len(data) - len(END) + 1)
        data += piece
        end = data.find(END, begin)
        if end >= 0:
            rest: bytearray = reader._buffer  # type: ignore[attr-defined]  # the next commands
            rest[:0] = data[end + len(END) :]
            break
        if len(data) > limit + 2:
            refused = f"552 5.3.4 That is over {limit} bytes"
        elif not refused and not grow(len(data)):
            refused = FULL
        if refused:
            del data[: -len(END)]
    if end > limit + 2:
        refused = f"552 5.3.4 That is over {limit} bytes"
    if refused:
        raise Refused(refused)
    if len(data) > SMALL:  # copying it takes some hundredths of a second
        return await asyncio.to_thread(_plain, data, end)
    return _plain(data, end)


def _plain(data: bytearray, end: int) -> bytes:
    """The mail in what was read, which begins with a line end of ours: without the dots that a
    client puts before those in the first column."""
    del data[end + 2 :]
    plain = data.replace(b"\r\n..", b"\r\n.") if b"\r\n.." in data else data
    del plain[:2]
    return bytes(plain)
