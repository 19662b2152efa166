"""Signed Message-IDs, reply addresses and links. They contain the number of a conversation, mail or
delivery, and a signature that nobody else can make."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence

from itsdangerous import BadSignature, Signer, URLSafeTimedSerializer

from bridge.model import MessageId, Number

ADDRESS = re.compile(r"\+([0-9]{1,15})-([a-z2-7]{26})@")


class Links:
    """Signs and verifies the tokens in links to pages of one kind (`mail`, `draft`, `template`),
    which contain a number or a name and expire after `hours`."""

    hours = 24

    def __init__(self, secret: str, kind: str = "mail") -> None:
        self._kind = kind
        salt = "original" if kind == "mail" else kind
        self._serializer = URLSafeTimedSerializer(
            secret, salt=salt, signer_kwargs={"key_derivation": "hmac",
                                                    "digest_method": hashlib.sha256}
        )  # fmt: skip

    def sign(self, what: int | str) -> str:
        return str(self._serializer.dumps(what))

    def read(self, token: str) -> int | None:
        """The number in a token; None if the token is not ours or has expired."""
        found = self._loaded(token)
        return found if isinstance(found, int) else None

    def read_name(self, token: str) -> str | None:
        """The name in a token, likewise."""
        found = self._loaded(token)
        return found if isinstance(found, str) else None

    def _loaded(self, token: str) -> object:
        try:
            return self._serializer.loads(token, max_age=self.hours * 3600)
        except BadSignature:
            return None

    def url_of(self, public_url: str, token: str) -> str:
        return f"{public_url.rstrip('/')}/{self._kind}/{token}"


class Tokens:
    """Signs and verifies Message-IDs, `<CONVERSATION.DELIVERY.SIGNATURE@domain>`, and reply
    addresses, `support+CONVERSATION-SIGNATURE@domain`."""

    def __init__(self, secret: str, former: Sequence[str] = ()) -> None:
        """`former` are earlier secrets, whose reply addresses may still be in use."""
        self._secret = secret.encode()
        self._former = [each.encode() for each in former]
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
        """The Message-ID of the mail that an inbox test sends to itself."""
        return MessageId(f"<test.{nonce}.{_mac(self._secret, f'test:{nonce}')}@{domain}>")

    def is_test(self, message_id: MessageId) -> bool:
        match = re.fullmatch(r"<test\.([0-9a-f]+)\.([a-z2-7]+)@[^@>]+>", message_id)
        return match is not None and _fits(self._secret, f"test:{match[1]}", match[2])

    def reply_address(self, number: Number, address: str) -> str:
        """The signed address for answers in a conversation."""
        local, _, domain = address.partition("@")
        return f"{local}+{number}-{_mac(self._secret, f'reply:{number}')}@{domain}"

    def read_address(self, spec: str) -> Number | None:
        """The conversation of a reply address of ours; None for any other. Ignores case, because
        servers change it."""
        return self._read_address(spec, [self._secret])

    def read_former_address(self, spec: str) -> Number | None:
        """The conversation of a reply address signed with an earlier secret; None for any other.
        Others may know that secret, so it proves no more than a public Message-ID does."""
        return self._read_address(spec, self._former)

    def _read_address(self, spec: str, secrets: Sequence[bytes]) -> Number | None:
        match = ADDRESS.search(spec.casefold())
        if match is None:
            return None
        fits = [_fits(secret, f"reply:{match[1]}", match[2]) for secret in secrets]
        return Number(int(match[1])) if any(fits) else None


def _mac(secret: bytes, text: str) -> str:
    """128 bits in lower case base32, 26 characters."""
    digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()[:16]
    return base64.b32encode(digest).decode().rstrip("=").lower()


def _fits(secret: bytes, text: str, signature: str) -> bool:
    return hmac.compare_digest(_mac(secret, text).encode(), signature.encode())
