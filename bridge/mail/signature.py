"""What people and programs put below their words: signatures, devices, disclaimers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bridge.mail.languages import DISCLAIMERS, FOOTERS, words

LEGAL = 80
"""Characters a disclaimer has at least."""
WORDS_OF_DEVICE = 8
LONGEST = 60
"""Lines, empty ones and rules included."""
WIDE = 15
"""Characters of a rule that nobody draws under a column."""
ASKS = re.compile(r"\b(?:please|bitte|por favor|merci de)\b")
DEVICE = tuple(word for word in words("device") if not word.startswith("…"))
DEVICE_END = tuple(word[1:] for word in words("device") if word.startswith("…"))
SHORTEST_DEVICE = min(map(len, (*DEVICE, *DEVICE_END)))
SHORTEST_FOOTER = min(map(len, FOOTERS))
MARKS = str.maketrans("", "", "<>()[]*_")
DEVICE_NAME = re.compile(
    r"\b(?:iphone|ipad|ipod|android|blackberry|galaxy|mobile|smartphone|phone|outlook|handy|"
    r"mobilgerät|windows|airmail|mailbox|samsung|huawei|xiaomi|nokia|ti-85|mail|yahoo|proton|"
    r"device|cell|téléphone|móvil|celular|cellulare|telefon|mobiltelefon|puhelimesta)"
)


def is_device(text: str) -> bool:
    """A phone's signature: a short line that begins, or ends, as they do."""
    if not SHORTEST_DEVICE <= len(text) <= 140:
        return False
    # most lines are told apart here, so this comes first
    plain = text.casefold().translate(MARKS).strip(" .!")
    begins, ends = plain.startswith(DEVICE), plain.endswith(DEVICE_END)
    if not begins and not ends:
        return False
    told = re.sub(r"<[^>]*>|https?://\S+", "", text)
    if "?" in told or len(told.split()) > WORDS_OF_DEVICE:
        return False
    if re.search(r"[.!,;] \S", told):  # a second sentence
        return False
    if ends and any(plain.endswith(e) and len(plain) <= len(e) + 30 for e in DEVICE_END):
        return True
    return begins and DEVICE_NAME.search(plain) is not None


def may_stand(texts: Sequence[str], *, has_above: bool) -> bool:
    """Whether what stands below a rule can be a signature: nobody asks or explains anything there.
    `texts` are the line above it, if it has one, the rule, and what stands below. A rule that is
    not “--” stands apart from the text above it, or it sums up a column."""
    above, rule, *below = texts if has_above else ["", *texts]
    if any("?" in text or len(text) > 160 for text in below):
        return False
    if any(ASKS.search(text.casefold()) for text in below):
        return False
    rule = rule.strip()
    return rule == "--" or len(rule) >= WIDE or not above.strip()


def is_disclaimer(text: str) -> bool:
    """A long line that speaks as law departments do; people ask about such things, too."""
    lowered = text[:4000].casefold()
    if any(phrase in lowered for phrase in FOOTERS):
        return "?" not in text
    if len(text) < LEGAL or "?" in text:
        return False
    return any(phrase in lowered for phrase in DISCLAIMERS)
