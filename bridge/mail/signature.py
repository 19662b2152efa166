"""Recognise text below a mail: signatures, device lines, disclaimers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bridge.mail.languages import DISCLAIMERS, FOOTERS, words

LEGAL = 80
"""Minimum characters of a disclaimer."""
WORDS_OF_DEVICE = 6
"""Maximum words after the usual start."""
LONGEST = 60
"""Maximum lines of a signature, including empty lines and rules."""
WIDE = 15
"""Minimum length of a line of dashes that counts as a separator above a signature; a shorter one
may be the line above a sum in a column of numbers."""
ITEM = re.compile(r"(?:\d{1,2}[.)]|[-*•·])\s+\w")
WORDS_OF_SENTENCE = 4
ASKS = re.compile(r"\b(?:please|bitte|por favor|merci de)\b")
DEVICE = tuple(word for word in words("device") if not word.startswith("…"))
DEVICE_LINE_ENDINGS = tuple(word[1:] for word in words("device") if word.startswith("…"))
SHORTEST_DEVICE = min(map(len, (*DEVICE, *DEVICE_LINE_ENDINGS)))
SHORTEST_FOOTER = min(map(len, FOOTERS))
MARKS = str.maketrans("", "", "<>()[]*_")
DEVICE_NAME = re.compile(
    r"\b(?:iphone|ipad|ipod|android|blackberry|galaxy|mobile|smartphone|phone|outlook|handy|"
    r"mobilgerät|windows|airmail|mailbox|samsung|huawei|xiaomi|nokia|ti-85|mail|yahoo|proton|"
    r"device|cell|téléphone|móvil|celular|cellulare|telefon|mobiltelefon|puhelimesta)"
)


EXCUSE = re.compile(r"[,.!;]?\s*(?:please |kindly )?(?:excuse|forgive|pardon) .{0,40}\Z")
"""What some add to such a line, about typing errors and brevity."""
SHORT_DEVICE = re.compile(
    r"(?:sent )?(?:from my|by) (?:i?phone|ipad|ipod|android|galaxy|mobile|blackberry|cell|handy)"
    r"(?: \w{1,3})?|sent from my [a-z]+ \w*\d\w*|\w+ from mobile"
)
"""Whole lines, as they may begin sentences of people, too."""


def is_device(text: str) -> bool:
    """Whether a line is a phone's signature: short, with the usual start or end."""
    if not SHORTEST_DEVICE <= len(text) <= 140:
        return False
    # most lines are excluded here, so this test is first
    plain = EXCUSE.sub("", text.casefold().translate(MARKS).strip(" .!"))
    if SHORT_DEVICE.fullmatch(plain):
        return True
    begins, ends = plain.startswith(DEVICE), plain.endswith(DEVICE_LINE_ENDINGS)
    if not begins and not ends:
        return False
    told = EXCUSE.sub("", re.sub(r"<[^>]*>|https?://\S+", "", text).casefold())
    start = max((len(word.split()) for word in DEVICE if plain.startswith(word)), default=2)
    if "?" in told or len(told.split()) > start + WORDS_OF_DEVICE:
        return False
    if re.search(r"[.!,;] \S", told):  # a second sentence
        return False
    if ends and any(plain.endswith(e) and len(plain) <= len(e) + 30 for e in DEVICE_LINE_ENDINGS):
        return True
    return begins and DEVICE_NAME.search(plain) is not None


def may_stand(texts: Sequence[str], *, has_above: bool) -> bool:
    """Whether the text below a rule can be a signature: it has no question, request or long line.
    `texts`: the line above the rule (if `has_above`), the rule, and the lines below. A short rule
    other than “--” needs an empty line above it, otherwise it may sum up a column."""
    above, rule, *below = texts if has_above else ["", *texts]
    if any("?" in text or len(text) > 160 for text in below):
        return False
    if any(ASKS.search(text.casefold()) for text in below):
        return False
    rule = rule.strip()
    return rule == "--" or len(rule) >= WIDE or not above.strip()


def is_prose(text: str) -> bool:
    """Whether a line says something, as no line of a signature does: an item of a list, or a
    sentence of several words."""
    plain = text.strip()
    if ITEM.match(plain):
        return True
    return plain.endswith((".", "!")) and len(plain.split()) >= WORDS_OF_SENTENCE


def is_disclaimer(text: str) -> bool:
    """Whether a line is a legal disclaimer: long, with a known phrase, and not a question."""
    lowered = text[:4000].casefold()
    if any(phrase in lowered for phrase in FOOTERS):
        return "?" not in text
    if len(text) < LEGAL or "?" in text:
        return False
    return any(phrase in lowered for phrase in DISCLAIMERS)
