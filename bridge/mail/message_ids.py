"""Message-IDs in the headers of outgoing mails: how they are written, and which References has."""

from __future__ import annotations

from collections.abc import Sequence
from email.headerregistry import UnstructuredHeader
from email.policy import EmailPolicy

from bridge.model import MessageId

MAX_REFERENCES = 40
"""Maximum ids in References: the first and the newest ones (RFC 5322 §3.6.4 allows trimming)."""
MAX_ID = 970
"""Maximum characters of an id, so that it fits in one line with the header's name."""


class MessageIds(UnstructuredHeader):
    """In-Reply-To, References and Message-ID: one id per folded line, never encoded.

    The email package would write a long id as an encoded word, which breaks threading
    (python/cpython#100991).
    """

    name: str

    @classmethod
    def parse(cls, value: str, kwds: dict[str, object]) -> None:
        """Keep the value as it is: an id may look like an encoded word, but is not one."""
        kwds["decoded"], kwds["parse_tree"] = value, None

    def fold(self, *, policy: EmailPolicy) -> str:
        return f"{self.name}: {(policy.linesep + ' ').join(str(self).split())}{policy.linesep}"


def references_for(parent: MessageId, older: Sequence[MessageId]) -> tuple[MessageId, ...]:
    """References of an answer: `older`, the references of the parent, and the parent's id, trimmed
    to MAX_REFERENCES."""
    chain = tuple(each for each in dict.fromkeys((*older, parent)) if can_stand(each))
    return chain if len(chain) <= MAX_REFERENCES else (chain[0], *chain[1 - MAX_REFERENCES :])


def can_stand(message_id: MessageId) -> bool:
    """Whether an id can be written: ASCII, and short enough for a line (RFC 5322 §2.1.1)."""
    return message_id.isascii() and len(message_id) <= MAX_ID
