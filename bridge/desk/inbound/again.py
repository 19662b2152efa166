"""The same mail by a second path, such as a list beside a direct copy."""

from __future__ import annotations

import re

from bridge.mail.quote import Body
from bridge.model import InboxId, Mail
from bridge.ports import Tx

LONGEST = 10_000
"""Characters above which a copy is shown without a comparison."""
WORD = re.compile(r"\w+")


async def says_nothing_new(tx: Tx, inbox: InboxId, mail: Mail, body: Body) -> bool:
    """Whether a mail with this Message-ID and sender was filed already and says the same, perhaps
    with other trace headers, another subject or other blanks. One with files is always shown: the
    other path may have taken some off."""
    if mail.attachments or len(body.text) > LONGEST:
        return False
    for letter in await tx.mails.received(inbox, mail.message_id):
        if letter.sender.key == mail.sender.key:
            before = await tx.passages.of_mail(letter.id)
            if set(WORD.findall(before.casefold())) == set(WORD.findall(body.text.casefold())):
                return True
    return False
