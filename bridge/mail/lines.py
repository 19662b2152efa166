"""Classify each line of a mail: text, quote, header of an older mail, signature.

Linear in the text: every line is read a bounded number of times, no regex nests repetitions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from bridge.mail import signature
from bridge.mail.languages import LANGUAGES, OTHER_FIELDS, words

MAX_INTRO = 6
"""Maximum lines over which “On … wrote:” may be wrapped."""
LOOK = 400
"""Maximum characters of a line that are read."""


class Kind(Enum):
    BLANK = auto()
    TEXT = auto()
    QUOTE = auto()
    CITED = auto()
    """May be a quote in an unusual style; counts as a quote only after an intro."""
    INTRO = auto()
    """“On Monday Alice wrote:”"""
    HISTORY = auto()
    """Header block of an older mail: From, Sent, To, Subject, or the rule above them."""
    FORWARD = auto()
    """Header block of a forwarded mail."""
    RULE = auto()
    """A line of only dashes, underscores or stars."""
    SIGNATURE = auto()
    DEVICE = auto()
    """“Sent from my iPhone”"""
    DISCLAIMER = auto()


class Line(NamedTuple):
    """A line's text, and its kind if the HTML markup tells it."""

    text: str
    hint: Kind | None = None


def _any_of(words: Sequence[str]) -> str:
    return "|".join(map(re.escape, words))


WROTE = re.compile(rf"(?<!\w)(?:{_any_of(words('wrote'))})(?!\w)")
# Chinese, Japanese, Korean and Thai have no spaces around these words.
WROTE_CLOSE = re.compile(
    _any_of([w for code in ("zh", "ja", "ko", "th") for w in LANGUAGES[code].wrote if w != "wrote"])
)
STARTS = (*(f"{word} " for word in words("on")), "在", "于", "於", "ב")
WHEN = re.compile(
    r"\d{1,2}[:.h]\d{2}|(?<!\d)(?:19|20)\d{2}(?!\d)|\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d年|\d日"
)
DATED_OR_NAMED = re.compile(r"@|\d[:.hH]\d\d|(?:19|20)\d\d|\d[./-]\d{1,4}[./-]\d|\d[年日]")
"""Quick test: a line without a match has neither a date nor an address."""
ADDRESS = re.compile(r"[^\s<>()\[\]\"']@[^\s<>()\[\]\"']")
# Intros without a verb: “2016-03-03 17:21 GMT+01:00 Alice”, “2013/7/20 Alice <alice@example.com>”.
BARE_INTRO = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2} (?:\d{1,2}:\d{2} (?:gmt|utc)|[^<>]{1,100}<)")
# “Alice <alice@example.com> wrote:” and nothing else.
NAMED_INTRO = re.compile(r"[^<>]{0,80}<[^<>\s]{3,200}>[^<>]{1,60}\Z")
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
    _intros(lines, found)
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


def _intros(lines: Sequence[Line], found: list[Kind]) -> None:
    """Mark “On … wrote:”, which may be wrapped over several lines."""
    after = 0
    for i in [i for i, line in enumerate(lines) if DATED_OR_NAMED.search(line.text)]:
        if i < after or found[i] not in (Kind.TEXT, Kind.INTRO):
            continue
        end = _intro_end(lines, found, i)
        if end is not None:
            for k in range(i, end + 1):
                if found[k] is not Kind.BLANK:
                    found[k] = Kind.INTRO
            after = end + 1
    for i, line in enumerate(lines):
        if found[i] is Kind.TEXT and _introduces(line.text) and _quotes_follow(found, i):
            found[i] = Kind.INTRO


def _introduces(text: str) -> bool:
    """Whether a line without date or address, such as “On Monday Alice wrote:”, introduces a quote
    that follows."""
    bare = text.strip(" \xa0").casefold()
    if len(bare) > LOOK or not bare.endswith((":", "：")):
        return False
    return bool(WROTE.search(bare) or WROTE_CLOSE.search(bare)) and _ends_with_verb(bare)


def _intro_end(lines: Sequence[Line], found: list[Kind], first: int) -> int | None:
    head = lines[first].text.strip().strip("-*_ \xa0").casefold()
    if not (WHEN.search(head[:LOOK]) or ADDRESS.search(head[:LOOK])):
        return None
    starts = head.startswith(STARTS) or head[:1].isdigit()
    joined = ""
    for j in range(first, min(first + MAX_INTRO, len(lines))):
        text = lines[j].text.strip()
        if len(text) > LOOK or (j > first and found[j] not in (Kind.TEXT, Kind.BLANK)
                                and not text.startswith(("> wrote", ">:"))
                                and not text.endswith((":", "：", "----"))):  # fmt: skip
            return None
        joined = f"{joined} {text.casefold()}".strip()
        if not text:
            continue
        bare = joined.strip("-*_ \xa0")
        if BARE_INTRO.match(bare) and not _has_more(lines, found, j):
            return j
        if len(joined) > 2 * LOOK:
            return None
        if not (bare.endswith((":", "：")) or joined.endswith("----")):
            continue
        if not (WROTE.search(bare) or WROTE_CLOSE.search(bare)):
            if WHEN.search(bare) and ADDRESS.search(bare) and _quotes_follow(found, j):
                return j
            continue
        dated = starts and WHEN.search(bare) and _ends_with_verb(bare)
        named = ADDRESS.search(head) and NAMED_INTRO.match(bare)
        return j if dated or named or _quotes_follow(found, j) else None
    return None


def _ends_with_verb(bare: str) -> bool:
    """Whether only a name or address follows “wrote”; otherwise it is a normal sentence."""
    verbs = [*WROTE.finditer(bare), *WROTE_CLOSE.finditer(bare)]
    last = max((match.end() for match in verbs), default=0)
    rest = bare[last:].strip(" :：-")
    return ADDRESS.search(rest) is not None or len(rest.split()) <= 3


def _has_more(lines: Sequence[Line], found: list[Kind], j: int) -> bool:
    """Whether text follows an intro without a verb on the next line."""
    return j + 1 < len(lines) and found[j + 1] is Kind.TEXT


def _quotes_follow(found: list[Kind], j: int) -> bool:
    following = (kind for kind in found[j + 1 : j + 4] if kind is not Kind.BLANK)
    return next(following, None) in (Kind.QUOTE, Kind.CITED)


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
