"""An emoji reaction sent by mail, as Gmail and Outlook do."""

from __future__ import annotations

import json
import re
from email.message import Message

from bridge.mail import tree
from bridge.mail.charset import clean_line
from bridge.mail.transfer import payload

GMAIL = "text/vnd.google.email-reaction+json"
LONGEST_EMOJI = 20
SENTENCE = re.compile(
    r"(?P<first>[^\w\s]{1,20})?\s*[^\n]{1,100}? reacted (?:via Gmail|to your (?:message|email))"
    r"(?: with (?P<last>[^\w\s]{1,20}))?[^\n]{0,200}",
)
"""All that such a mail says in its plain text."""


def read(message: Message, text: str) -> str:
    """The emoji that a mail reacts with; empty for a mail that says anything else."""
    for leaf in tree.leaves(message):
        if leaf.part.get_content_type() == GMAIL:
            try:
                said = json.loads(payload(leaf.part)[:2000])
            except (ValueError, RecursionError):
                continue
            if isinstance(said, dict) and isinstance(said.get("emoji"), str):
                return clean_line(said["emoji"])[:LONGEST_EMOJI]
    plain = text.strip()
    if len(plain) > 400:
        return ""
    found = SENTENCE.fullmatch(plain)
    return (found["first"] or found["last"] or "") if found is not None else ""
