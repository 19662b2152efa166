"""OpenPGP written into the text of a mail (RFC 9580 §6.2 and §7)."""

from __future__ import annotations

import re

SIGNED = "🔏 signed (OpenPGP); the signature is not checked"
ENCRYPTED = "🔒 encrypted (OpenPGP): only a mail program that has the key can read it"
BEGIN = "-----BEGIN PGP SIGNED MESSAGE-----"
BELOW, END = "-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----"
MESSAGE = re.compile(r"^-----BEGIN PGP MESSAGE-----[ \t]*$", re.MULTILINE)


def unwrap(text: str) -> tuple[str, str]:
    """(the text without the marks of its signature, a note on what it is, empty for nothing)."""
    if MESSAGE.search(text):
        return text, ENCRYPTED
    rows = text.split("\n")
    marks = [row.rstrip() for row in rows]
    if BEGIN not in marks or BELOW not in marks:
        return text, ""
    first = marks.index(BEGIN)
    ends = [i for i in range(first, len(marks)) if marks[i] == BELOW]
    if not ends:
        return text, ""
    last = ends[-1]
    after = next((i + 1 for i in range(last, len(marks)) if marks[i] == END), len(rows))
    body = next((i + 1 for i in range(first, last) if not marks[i]), first + 1)  # armor headers
    said = [row.removeprefix("- ") for row in rows[body:last]]
    return "\n".join((*rows[:first], *said, *rows[after:])), SIGNED
