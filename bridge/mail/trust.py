"""The sender check of our own mail server (RFC 8601), and sender names that imitate ours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from email.message import Message
from typing import Any

import authres

from bridge.mail import header
from bridge.model import Verdict, ascii_domain

MARKS = re.compile(r'\\.|["()]', re.DOTALL)
TWO_SENDERS = "⚠️ two senders in From: nobody can say who wrote this"


def verdict(message: Message, authserv_id: str, domain: str, *, unsure: bool = False) -> Verdict:
    """The verdict of the topmost Authentication-Results that names `authserv_id`.

    Anyone can write such a header, so headers with other names are ignored, and without a
    configured authserv-id the verdict is NONE. DMARC decides; without it, an SPF or DKIM pass for
    the sender's own domain gives PASS, and otherwise a fail gives FAIL. `unsure`: the mail names
    several senders, or one in an odd place, so the server may have checked another one than is
    shown; gives FAIL.
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
        return _read(rest, ascii_domain(domain))
    return Verdict.NONE


# Digits and letters of other scripts that look like Latin letters; NFKD removes accents before.
ALIKE = str.maketrans("аеорсухіјѕһԁԛԝɡвкмнтαοντυρικη01|", "aeopcyxijshdqwgbkmhtaovtupikn" + "oll")


def skeleton(name: str) -> str:
    """A name reduced to how it looks: without accents, case and blanks, with look-alike letters as
    Latin ones (after Unicode TS 39 §4)."""
    plain = unicodedata.normalize("NFKD", name).casefold().translate(ALIKE)
    letters = "".join(char for char in plain if char.isalnum())
    return letters.replace("rn", "m").replace("i", "l")


def resembles(name: str, ours: Iterable[str]) -> str:
    """The name among `ours` that a sender's name looks like; empty for none."""
    seen = skeleton(name)
    return next((each for each in ours if len(seen) > 2 and skeleton(each) == seen), "")


def _read(results: str, domain: str) -> Verdict:
    parsed = [] if _may_be_steered(results) else _parsed(results)
    found = {(each.method, each.result) for each in parsed}
    dmarc = {result for method, result in found if method == "dmarc"} & {"pass", "fail"}
    if dmarc:
        return Verdict.PASS if dmarc == {"pass"} else Verdict.FAIL
    for each in parsed:
        if each.result == "pass" and domain in _domains(each):
            return Verdict.PASS
    if any(method in ("spf", "dkim") and result == "fail" for method, result in found):
        return Verdict.FAIL
    return Verdict.NONE


def _may_be_steered(results: str) -> bool:
    """Whether there are quotes in a comment or an address: an envelope sender may have put them
    there to inject a result (`"x);dkim=pass header.d=…;(y"@evil`)."""
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
    """The results of a header; empty if it cannot be parsed as a whole. Never split by hand: a
    separator may come from the sender."""
    try:
        return list(
            authres.AuthenticationResultsHeader.parse(
                f"Authentication-Results: local.invalid; {results.strip()}"
            ).results
        )
    except Exception:  # noqa: BLE001 - authres raises its own and others on odd input
        return []


def _domains(result: object) -> set[str]:
    """The domains that a method proves: SPF the envelope sender, DKIM the signer. A HELO name
    proves nothing, because anybody can choose it."""
    vouched = (("spf", "smtp", "mailfrom"), ("dkim", "header", "d"), ("dkim", "header", "i"))
    method = getattr(result, "method", "")
    return {
        ascii_domain(str(prop.value).rpartition("@")[2])
        for prop in getattr(result, "properties", ())
        if (method, prop.type, prop.name) in vouched
    }
