"""Classify each line of a mail: text, quote, header of an older mail, signature.

Linear in the text: every line is read a bounded number of times, no regex nests repetitions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bridge.mail import signature
from bridge.mail.intro import ADDRESS, mark_intros
from bridge.mail.languages import OTHER_FIELDS, words
from bridge.mail.line import LOOK, Kind, Line

INITIALS = re.compile(r"[A-Z]{1,3}>(?: |\Z)")
FIELD = re.compile(r"[\s>*_|]{0,10}([^\W\d_][^:：*\n]{0,24}?)[\s*_]{0,4}[:：]")
FIELDS = {
    name: frozenset(words(f"{name}_labels")) | ({"reply-to"} if name == "date" else frozenset())
    for name in ("from", "date", "to", "subject")
}
ALL_FIELDS = frozenset().union(*FIELDS.values()) | OTHER_FIELDS
BANNER = re.compile(r"[\s>*_=~–—-]{0,40}([^*_=~–—-][^\n]{0,60}?)[\s*_=~:–—-]{0,40}\Z")
ORIGINAL, FORWARDED = frozenset(words("original")), frozenset(words("forwarded"))
RULE = re.compile(r"\s*(?:[-_*=~#+–—]\s?){2,300}\s*\Z|\s*[—–ᐧ]\s*\Z")
INVISIBLE = "\xa0\u200b\u200c\u200d\ufeff\u034f\u00ad "
RULES, FRAMES = "-_*=~#+–—ᐧ", "->*_=~–—"
"""First characters of a rule, and of a banner that does not end in a colon."""
SHORTEST_MARK = 20
TOOL_MARK = re.compile(r"reply above (?:this|the) line|type your reply above", re.IGNORECASE)


def kinds(lines: Sequence[Line]) -> list[Kind]:
    """The kind of every line."""
    known: dict[Line, Kind] = {}  # in mails with very many lines, most lines repeat
    found = [known.get(line) or known.setdefault(line, _one(line)) for line in lines]
    _unfence(lines, found)
    _heads(lines, found)
    mark_intros(lines, found)
    _initials(lines, found)
    _signatures(lines, found)
    _disclaimers(lines, found)
    return found


def _one(line: Line) -> Kind:
    text = line.text.strip()
    if not text or (not text.isascii() and not text.strip(INVISIBLE)):
        return Kind.BLANK
    if line.hint is not None:
        is_head = line.hint in (Kind.INTRO, Kind.HISTORY)
        return (_banner(text) if is_head else None) or line.hint
    if text.startswith(">"):
        return Kind.QUOTE
    # testing the first letter is cheaper than a regex, and most lines are plain text
    if text[0] in RULES and RULE.match(text[:LOOK]):
        return Kind.RULE
    if len(text) >= SHORTEST_MARK and TOOL_MARK.search(text[:LOOK]):
        return Kind.HISTORY
    if text[0] == "|" or (">" in text[:13] and re.match(r"[A-Za-z]{1,12}>", text)):
        return Kind.CITED
    if signature.is_device(text):
        return Kind.DEVICE
    return _banner(text) or Kind.TEXT


def _banner(text: str) -> Kind | None:
    """HISTORY for “-----Original Message-----”, FORWARD for “Begin forwarded message:”, or None."""
    if len(text) > 120 or (text[0] not in FRAMES and not text.endswith((":", "："))):
        return None
    match = BANNER.match(text)
    words = match[1].strip(" \xa0*").casefold() if match else ""
    if words in FORWARDED and (text[0] in "->*_–—" or text.endswith((":", "："))):
        return Kind.FORWARD
    if words in ORIGINAL and text[0] in "->*_=~–—":
        return Kind.HISTORY
    return None


def _unfence(lines: Sequence[Line], found: list[Kind]) -> None:
    """Mark everything between ``` and ``` as text."""
    fences = [i for i, line in enumerate(lines) if line.text.startswith("```")]
    for first, last in zip(fences[::2], fences[1::2], strict=False):
        for i in range(first, last + 1):
            found[i] = Kind.TEXT


def header_field_name(text: str) -> str:
    """The case-folded name of the header field in a line; empty if the line has none."""
    head = text[:80]
    match = FIELD.match(head) if ":" in head or "：" in head else None
    return " ".join(match[1].casefold().split()) if match else ""


def _heads(lines: Sequence[Line], found: list[Kind]) -> None:
    """Mark blocks of From, Sent, To, Subject, as Outlook writes them above the answered mail.

    A block begins with the sender, the date or the subject. It has at least three of the four
    fields, including the sender; its lines may be wrapped or have empty lines between them.
    """
    after = 0
    for i in [i for i, line in enumerate(lines) if ":" in line.text or "：" in line.text]:
        if i < after or found[i] not in (Kind.TEXT, Kind.HISTORY):
            continue
        name = header_field_name(lines[i].text)
        if not name or not any(name in FIELDS[which] for which in ("from", "subject", "date")):
            continue
        seen, last, stray = {name}, i, 0
        for j in range(i + 1, min(i + 20, len(lines))):
            name = header_field_name(lines[j].text)
            if name in seen or (name in FIELDS["from"] and not seen.isdisjoint(FIELDS["from"])):
                break  # the next header block, or text of a person
            if name in ALL_FIELDS:
                seen.add(name)
                last, stray = j, 0
            elif lines[j].text.strip():
                stray += 1
                if stray > 2:
                    break
        groups = [which for which, names in FIELDS.items() if not seen.isdisjoint(names)]
        block = " ".join(line.text[:LOOK] for line in lines[i : last + 1])
        # people write From, To and Date about other things, too; programs write an address or the
        # subject, or put the date second
        second = next(
            (n for line in lines[i + 1 : last + 1] if (n := header_field_name(line.text))), ""
        )
        told = ADDRESS.search(block) is not None or "subject" in groups or second in FIELDS["date"]
        if len(groups) < 3 or "from" not in groups or not told:
            continue
        above = next((k for k in range(i - 1, max(-1, i - 4), -1) if lines[k].text.strip()), -1)
        kind = Kind.FORWARD if above >= 0 and found[above] is Kind.FORWARD else Kind.HISTORY
        first = above if above >= 0 and found[above] in (Kind.RULE, kind) else i
        for k in range(first, last + 1):
            if found[k] is not Kind.BLANK:
                found[k] = kind
        after = last + 1


def _initials(lines: Sequence[Line], found: list[Kind]) -> None:
    """Mark lines such as “AB> …”, quotes with the initials of their author, as quotes where another
    mail is quoted as well. Otherwise they may be prompts that somebody copied."""
    if Kind.INTRO in found:
        for i, line in enumerate(lines):
            if found[i] is Kind.CITED and INITIALS.match(line.text):
                found[i] = Kind.QUOTE


def _signatures(lines: Sequence[Line], found: list[Kind]) -> None:
    """Mark the lines below “-- ” up to the next older mail, if they are few (RFC 3676 §4.3), and
    the lines below another rule only if they are very few."""
    edge = len(found)
    below = 0
    if Kind.RULE not in found:
        return
    for i in range(len(found) - 1, -1, -1):
        kind = found[i]
        if kind in (Kind.INTRO, Kind.HISTORY, Kind.FORWARD, Kind.QUOTE):
            edge, below = i, 0
        elif kind is Kind.RULE:
            text = lines[i].text.strip()
            limit = 20 if text in ("--", "—", "–") else 5 if "___" in text else 0
            fits = below <= limit and edge - i <= signature.LONGEST
            if fits and text == "--" and lines[i].text.rstrip("\r") != "-- ":  # RFC 3676 §4.3
                fits = not any(map(signature.is_prose, _texts(lines, i + 1, edge)))
            if fits and signature.may_stand(_texts(lines, i - 1, edge), has_above=i > 0):
                for k in range(i, edge):
                    if found[k] is not Kind.BLANK:
                        found[k] = Kind.SIGNATURE
                edge, below = i, 0
        elif kind in (Kind.TEXT, Kind.CITED):
            below += 1


def _disclaimers(lines: Sequence[Line], found: list[Kind]) -> None:
    """Mark the lines that are legal disclaimers."""
    shortest = signature.SHORTEST_FOOTER
    for i in [i for i, line in enumerate(lines) if len(line.text) >= shortest]:
        if found[i] is Kind.TEXT and signature.is_disclaimer(lines[i].text):
            found[i] = Kind.DISCLAIMER


def _texts(lines: Sequence[Line], first: int, end: int) -> list[str]:
    return [line.text for line in lines[max(0, first) : end]]
