"""Find the lines that introduce a quoted mail: “On Monday Alice wrote:”, in many languages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bridge.mail.languages import LANGUAGES, words
from bridge.mail.line import LOOK, Kind, Line

MAX_INTRO = 6
"""Maximum lines over which “On … wrote:” may be wrapped."""


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
SENTENCE_END = re.compile(r"(?:\w{5,}|[^\W\d_]\s?)[.!?…]\Z|[!?:。！？：]\Z")
"""The end of a sentence; a short word with a full stop may be an abbreviation in a date."""


def mark_intros(lines: Sequence[Line], found: list[Kind]) -> None:
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
        if not text and j + 1 < len(lines) and lines[j + 1].text.lstrip()[:1] == "<":
            continue  # the address is a paragraph of its own
        if not text or (j > first and _begins_anew(lines[j - 1].text, text)):
            return None
        joined = f"{joined} {text.casefold()}".strip()
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


def _begins_anew(above: str, text: str) -> bool:
    """Whether a line does not go on with an intro that began above it: a sentence ended there, or
    this line has all that an intro has."""
    if SENTENCE_END.search(above.rstrip()):
        return True
    bare = text.strip("-*_ \xa0").casefold()
    return (bare.startswith(STARTS) or bare[:1].isdigit()) and WHEN.search(bare[:LOOK]) is not None


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
