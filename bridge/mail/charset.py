"""Decode bytes of an unknown or wrongly declared charset without losing text, and clean text."""

from __future__ import annotations

import codecs
import re

import cchardet

# Charset names of senders, and the superset they mean (WHATWG Encoding §4.2), as Python names.
SUPERSETS = {
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "gb_2312-80": "gb18030",
    "ks_c_5601-1987": "cp949", "ks_c_5601": "cp949", "euc-kr": "cp949", "ksc5601": "cp949",
    "x-windows-949": "cp949", "iso-2022-kr": "iso2022_kr",
    "iso-8859-1": "cp1252", "latin1": "cp1252", "iso8859-1": "cp1252", "ansi": "cp1252",
    "iso-8859-9": "cp1254", "iso-8859-11": "cp874", "tis-620": "cp874",
    "iso-8859-8-i": "iso-8859-8", "iso-8859-8-e": "iso-8859-8",
    "us-ascii": "utf-8", "ascii": "utf-8", "ansi_x3.4-1968": "utf-8", "utf8": "utf-8",
    "unicode-1-1-utf-8": "utf-8", "utf-8mb4": "utf-8", "utf-8-sig": "utf-8",
    "shift_jis": "cp932", "shift-jis": "cp932", "x-sjis": "cp932", "sjis": "cp932",
    "unicode-1-1-utf-7": "utf-7", "unicode-2-0-utf-7": "utf-7", "x-unicode-2-0-utf-7": "utf-7",
    "csunicode11utf7": "utf-7", "utf7": "utf-7",
    "iso-2022-jp": "iso2022_jp_ext", "x-euc-jp": "euc_jp", "big5": "big5hkscs",
    "x-mac-roman": "mac_roman", "macintosh": "mac_roman", "x-mac-cyrillic": "mac_cyrillic",
}  # fmt: skip
# Python codecs that must not decode mail: they hide markup, or take quadratic time.
NO_CHARSETS = frozenset(
    ["idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs"]
)
SHIFTING = ("iso2022", "iso-2022", "hz", "utf-7", "utf-16", "utf_16", "utf-32", "utf_32")
"""Prefixes of charsets in which ASCII bytes may mean other characters."""
WESTERN = ("cp1252", "iso8859-15", "windows-1252")
"""Charsets in which valid UTF-8 would be rows of symbols: nobody writes that."""
FEW = 20
"""One broken character in this many is accepted before another charset is tried."""
# Cc except newline and tab, and lone surrogates, which are invalid in JSON.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Marks that reverse the reading direction, so that "exe.gpj" is shown as "jpg.exe".
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def decode(data: bytes, declared: str | None) -> str:
    """Decode `data`. Tries the declared charset, UTF-8, both with a few broken characters, a
    detected charset, and at last cp1252 with U+FFFD for invalid bytes. Escape sequences of
    ISO 2022 say themselves what they are: many programs send them undeclared."""
    named = _codec(declared)
    if data.isascii() and not named.startswith(SHIFTING):
        if KOREAN in data:
            named = "iso2022_kr"
        elif JAPANESE.search(data) is None:
            return data.decode("ascii")
        else:
            named = "iso2022_jp"
    if named.startswith("iso2022_jp"):
        return _iso_2022_jp(data)
    if named in WESTERN:
        try:  # text that JSON or a gateway turned into UTF-8 under its old label
            return data.decode()
        except UnicodeDecodeError:
            pass
    names = [name for name in (named, "" if named.startswith(SHIFTING) else "utf-8") if name]
    for name in names:
        try:
            return data.decode(name).removeprefix("\ufeff")
        except (LookupError, ValueError):
            continue
    several = len(data.translate(None, ASCII))
    for name in dict.fromkeys(names):
        if name in UTF_8:
            text = _patched(data)
            if text is not None:
                return text
            continue
        text = data.decode(name, "replace")
        if text.count("\ufffd") * FEW <= several:
            return text.removeprefix("\ufeff")
    guess = _codec(cchardet.detect(data[:100_000]).get("encoding"))
    if guess:
        try:
            return data.decode(guess)
        except (LookupError, ValueError):
            pass
    return data.decode("cp1252", "replace")


def _patched(data: bytes) -> str | None:
    """UTF-8 with some bytes of another charset among them, such as a footer in Latin-1: those bytes
    are decoded as cp1252. None if too little of it is valid UTF-8."""
    text = data.decode("utf-8", "replace")
    invalid = text.count("\ufffd")
    valid = len(text) - len(text.encode("ascii", "ignore")) - invalid
    if valid < invalid:  # unless the lines of one charset stand below those of the other
        rows = [row for row in text.splitlines() if not row.isascii()]
        if sum("\ufffd" in row for row in rows) * 2 > len(rows):
            return None
    return data.decode("utf-8", CP1252).removeprefix("\ufeff")


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


CP1252 = "postroom.cp1252"
codecs.register_error(CP1252, _as_cp1252)
UTF_8 = ("utf-8", "utf8", "utf_8")
JAPANESE = re.compile(rb"\x1b(?:\$[@B]|\$\([DOPQ]|\(I)")
KOREAN = b"\x1b$)C"
ASCII = bytes(range(128))
SHIFT = re.compile(rb"\x1b(\([BJI]|\$[@B]|\$\([DOPQ])")


def _iso_2022_jp(data: bytes) -> str:
    """Decode ISO-2022-JP with the NEC and IBM characters that the standard lacks but Japanese mail
    uses: two-byte runs are decoded as cp932 (Shift-JIS of Windows), which has them."""
    pieces, mode, at = [], b"(B", 0
    for match in (*SHIFT.finditer(data), None):
        run = data[at : match.start() if match else len(data)]
        if mode in (b"$B", b"$@"):
            pieces.append(_shifted(run).decode("cp932", "replace"))
        elif mode == b"(I":
            pieces.append(bytes(byte | 0x80 for byte in run).decode("cp932", "replace"))
        elif mode in (b"(B", b"(J"):
            pieces.append(run.decode("ascii", "replace"))
        else:
            pieces.append((b"\x1b" + mode + run).decode("iso2022_jp_ext", "replace"))
        if match is not None:
            mode, at = match[1], match.end()
    return "".join(pieces)


def _shifted(run: bytes) -> bytes:
    """JIS X 0208 to Shift-JIS, two bytes per character; control characters and spaces are kept."""
    out = bytearray()
    at = 0
    while at < len(run):
        high = run[at]
        if high <= 0x20 or at + 1 >= len(run):
            out.append(high)
            at += 1
            continue
        low = run[at + 1]
        out.append(((high - 0x21) >> 1) + (0x81 if high < 0x5F else 0xC1))
        out.append(low + (0x7E if not high & 1 else 0x1F if low < 0x60 else 0x20))
        at += 2
    return bytes(out)


def _codec(name: str | None) -> str:
    """The codec for a charset name; empty if there is none that may decode mail."""
    plain = (name or "").strip(" \t\"'").lower().partition("*")[0]  # RFC 2231 §5: a language
    plain = SUPERSETS.get(plain, plain)
    try:
        info = codecs.lookup(plain) if plain else None
    except (LookupError, ValueError):
        return ""
    if info is None or info.name in NO_CHARSETS or not info._is_text_encoding:
        return ""
    return plain


BREAKS = str.maketrans("\r\x0b\x0c\x85", "\n\n\n\n")


def clean(text: str) -> str:
    """Text without control characters and lone surrogates; line ends become newlines."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").translate(BREAKS)
    return UNPRINTABLE.sub("", text).replace("\u2028", "\n").replace("\u2029", "\n")


def clean_line(text: str, limit: int = 1000) -> str:
    """One line for a header, a name or a topic: no breaks or bidi marks, at most `limit` long."""
    text = BIDI.sub("", clean(text).replace("\u0085", " "))
    return " ".join(text.split())[:limit].strip()
