"""What our own mail server found of a mail's sender (RFC 8601)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from email.message import Message
from typing import Any

import authres

from bridge.mail import header
from bridge.model import Verdict

MARKS = re.compile(r'\\.|["()]', re.DOTALL)
TWO_SENDERS = "⚠️ two senders in From: nobody can say who wrote this"


def verdict(message: Message, authserv_id: str, domain: str, *, unsure: bool = False) -> Verdict:
    """The verdict of the topmost Authentication-Results that names `authserv_id`.

    Anyone can write such a header, so those of other names count for nothing, and with no
    authserv-id configured there is no verdict. DMARC decides; without it, an SPF or DKIM pass
    for the sender's own domain passes and a plain fail fails. `unsure`: the mail names several
    senders, so that whatever was checked need not be the one that is shown.
    """
    if unsure:
        return Verdict.FAIL
    if not authserv_id:
        return Verdict.NONE
    for value in header.raw_values(message, "authentication-results"):
        named, _, rest = value.partition(";")
        words = named.split()
        if not words or words[0].strip('"').lower() != authserv_id.lower():
            continue
        return _read(rest, domain.lower())
    return Verdict.NONE


# Letters of other scripts, and digits, that look like Latin ones; NFKD has taken care of accents.
ALIKE = str.maketrans("аеорсухіјѕһԁԛԝɡвкмнтαοντυρικη01|", "aeopcyxijshdqwgbkmhtaovtupikn" + "oll")


def skeleton(name: str) -> str:
    """A name as the eye takes it: without accents, case, blanks, and which alphabet it is in
    (after Unicode TS 39 §4)."""
    plain = unicodedata.normalize("NFKD", name).casefold().translate(ALIKE)
    letters = "".join(char for char in plain if char.isalnum())
    return letters.replace("rn", "m").replace("i", "l")


def resembles(name: str, ours: Iterable[str]) -> str:
    """The name of ours that a sender's looks like; empty for none."""
    seen = skeleton(name)
    return next((each for each in ours if len(seen) > 2 and skeleton(each) == seen), "")


def _read(results: str, domain: str) -> Verdict:
    parsed = [] if _may_be_steered(results) else _parsed(results)
    found = {(each.method, each.result) for each in parsed}
    for method, result in found:
        if method == "dmarc" and result in ("pass", "fail"):
            return Verdict.PASS if result == "pass" else Verdict.FAIL
    for each in parsed:
        if each.result == "pass" and domain in _domains(each):
            return Verdict.PASS
    if any(method in ("spf", "dkim") and result == "fail" for method, result in found):
        return Verdict.FAIL
    return Verdict.NONE


def _may_be_steered(results: str) -> bool:
    """Whether quotes stand in a comment or in an address: an envelope sender may have brought them
    along, and with them whatever looks like a result (`"x);dkim=pass header.d=…;(y"@evil`)."""
    depth, quoted = 0, False
    for match in MARKS.finditer(results):
        mark = match[0]
        if mark[0] == "\\":
            continue
        if mark == '"':
            before = results[: match.start()].rstrip()
            if depth or (not quoted and not before.lower().endswith("reason=")):
                return True
            quoted = not quoted
        elif not quoted:
            depth += 1 if mark == "(" else -1
    return depth != 0 or quoted


def _parsed(results: str) -> list[Any]:
    """The results of a header; none where it cannot be read as a whole. It is never taken apart by
    hand: what separates results may have come from the sender."""
    try:
        return list(
            authres.AuthenticationResultsHeader.parse(
                f"Authentication-Results: local.invalid; {results.strip()}"
            ).results
        )
    except Exception:  # noqa: BLE001 - authres raises its own and others on odd input
        return []


def _domains(result: object) -> set[str]:
    """What a method vouches for: SPF the envelope sender, DKIM the signer; a HELO name is
    anybody's to choose."""
    vouched = (("spf", "smtp", "mailfrom"), ("dkim", "header", "d"), ("dkim", "header", "i"))
    method = getattr(result, "method", "")
    return {
        str(prop.value).lower().rpartition("@")[2]
        for prop in getattr(result, "properties", ())
        if (method, prop.type, prop.name) in vouched
    }
