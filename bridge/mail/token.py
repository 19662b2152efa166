"""Our own Message-IDs: they carry the conversation, signed so that nobody can guess one."""

from __future__ import annotations

import hashlib

from itsdangerous import BadSignature, Signer

from bridge.model import MessageId, Number


class Tokens:
    """Writes and reads signed Message-IDs: `<CONVERSATION.DELIVERY.SIGNATURE@domain>`."""

    def __init__(self, secret: str) -> None:
        self._signer = Signer(
            secret, salt="message-id", sep=".", key_derivation="hmac", digest_method=hashlib.sha256
        )

    def message_id(self, number: Number, delivery: int, domain: str) -> MessageId:
        """The Message-ID of a delivery."""
        return MessageId(f"<{self._signer.sign(f'{number}.{delivery}').decode()}@{domain}>")

    def read(self, message_id: MessageId) -> Number | None:
        """The conversation of a Message-ID we made; None for any other. Constant time."""
        try:
            signed = message_id.strip("<>").rpartition("@")[0]
            return Number(int(self._signer.unsign(signed).decode().partition(".")[0]))
        except (BadSignature, ValueError):
            return None
