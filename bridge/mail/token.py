"""Our own Message-IDs and reply addresses: they carry the conversation, signed so that nobody can
guess one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from itsdangerous import BadSignature, Signer, URLSafeTimedSerializer

from bridge.model import MessageId, Number

ADDRESS = re.compile(r"\+([0-9]{1,15})-([a-z2-7]{26})@")


class Links:
    """Writes and reads the signed part of links to a page of one kind (`mail` or `draft`, by
    number); they expire."""

    hours = 24

    def __init__(self, secret: str, kind: str = "mail") -> None:
        self._kind = kind
        salt = "original" if kind == "mail" else kind
        self._serializer = URLSafeTimedSerializer(
            secret, salt=salt, signer_kwargs={"key_derivation": "hmac",
                                                    "digest_method": hashlib.sha256}
        )  # fmt: skip

    def sign(self, number: int) -> str:
        return str(self._serializer.dumps(number))

    def read(self, token: str) -> int | None:
        """The number; None for a token that is not ours, or too old."""
        try:
            found = self._serializer.loads(token, max_age=self.hours * 3600)
        except BadSignature:
            return None
        return found if isinstance(found, int) else None

    def url_of(self, public_url: str, token: str) -> str:
        return f"{public_url.rstrip('/')}/{self._kind}/{token}"


class Tokens:
    """Writes and reads signed Message-IDs, `<CONVERSATION.DELIVERY.SIGNATURE@domain>`, and reply
    addresses, `support+CONVERSATION-SIGNATURE@domain`."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._signer = Signer(
            secret, salt="message-id", sep=".", key_derivation="hmac", digest_method=hashlib.sha256
        )

    def message_id(self, number: Number, delivery: int, domain: str) -> MessageId:
        """The Message-ID of a delivery."""
        return MessageId(f"<{self._signer.sign(f'{number}.{delivery}').decode()}@{domain}>")

    def read(self, message_id: MessageId) -> Number | None:
        """The conversation of a Message-ID we made; None for any other. Constant time."""
        found = self.read_delivery(message_id)
        return found[0] if found is not None else None

    def read_delivery(self, message_id: MessageId) -> tuple[Number, int] | None:
        """(conversation, delivery) of a Message-ID we made; None for any other."""
        try:
            signed = message_id.strip("<>").rpartition("@")[0]
            number, _, delivery = self._signer.unsign(signed).decode().partition(".")
            return Number(int(number)), int(delivery)
        except (BadSignature, ValueError):
            return None

    def test_id(self, nonce: str, domain: str) -> MessageId:
        """The Message-ID of a mail with which an inbox tests itself."""
        return MessageId(f"<test.{nonce}.{self._mac(f'test:{nonce}')}@{domain}>")

    def is_test(self, message_id: MessageId) -> bool:
        match = re.fullmatch(r"<test\.([0-9a-f]+)\.([a-z2-7]+)@[^@>]+>", message_id)
        return match is not None and self._fits(f"test:{match[1]}", match[2])

    def reply_address(self, number: Number, address: str) -> str:
        """The address to which answers of a conversation go."""
        local, _, domain = address.partition("@")
        return f"{local}+{number}-{self._mac(f'reply:{number}')}@{domain}"

    def read_address(self, spec: str) -> Number | None:
        """The conversation of a reply address of ours; None for any other. Case does not count:
        servers change it."""
        match = ADDRESS.search(spec.casefold())
        if match is None or not self._fits(f"reply:{match[1]}", match[2]):
            return None
        return Number(int(match[1]))

    @staticmethod
    def named_in(spec: str) -> Number | None:
        """The conversation that an address of such a form names, whoever signed it: one of ours
        was signed with another key before that was changed. It proves nothing by itself."""
        match = ADDRESS.search(spec.casefold())
        return Number(int(match[1])) if match is not None else None

    def _mac(self, text: str) -> str:
        """128 bits in lower case base32, 26 characters."""
        digest = hmac.new(self._secret, text.encode(), hashlib.sha256).digest()[:16]
        return base64.b32encode(digest).decode().rstrip("=").lower()

    def _fits(self, text: str, signature: str) -> bool:
        return hmac.compare_digest(self._mac(text).encode(), signature.encode())
