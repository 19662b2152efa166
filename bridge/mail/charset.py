"""Bytes of an unknown or wrongly named charset to text that is never empty by mistake."""

from __future__ import annotations

import codecs
import re

import cchardet

# What senders write, and the superset they mean (WHATWG Encoding §4.2).
SUPERSETS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "shift_jis": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
}
# Cc but for newline and tab, and lone surrogates, which no JSON may hold.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Marks that turn the reading direction, so that "exe.gpj" looks like "jpg.exe".
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def decode(data: bytes, declared: str | None) -> str:
    """Text of `data`: the declared charset, UTF-8, a guess, at last cp1252 with marks."""
    name = (declared or "").strip().strip("\"'").lower()
    for candidate in (SUPERSETS.get(name, name), "utf-8"):
        try:
            # UTF-7 can hide markup from every check that reads bytes
            if candidate and codecs.lookup(candidate).name != "utf-7":
                return data.decode(candidate)
        except (LookupError, ValueError):
            continue
    guess = cchardet.detect(data[:100_000]).get("encoding")
    if guess:
        try:
            return data.decode(SUPERSETS.get(guess.lower(), guess))
        except (LookupError, ValueError):
            pass
    return data.decode("cp1252", "replace")


def clean(text: str) -> str:
    """Text without control characters and lone surrogates; line ends become newlines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return UNPRINTABLE.sub("", text).replace("\u2028", "\n").replace("\u2029", "\n")


def clean_line(text: str, limit: int = 1000) -> str:
    """One line for a header, a name or a topic: no breaks, no bidi marks, at most `limit`."""
    text = BIDI.sub("", clean(text).replace("\u0085", " "))
    return " ".join(text.split())[:limit].strip()
