"""Signs mail as the domain of a sender does (DKIM)."""

from __future__ import annotations

import base64

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.stage import mail

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)  # fmt: skip
PUBLIC = KEY.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)
RECORD = f"v=DKIM1; k=rsa; p={base64.b64encode(PUBLIC).decode()}"
NAME = "s1._domainkey.customer.example"


def signed(raw: bytes, domain: str = "customer.example", **how: object) -> bytes:
    """The mail with a signature of a domain."""
    made: bytes = dkim.sign(raw, b"s1", domain.encode(), PEM, **how)
    return made + raw


def gmails_question(text: str, **more: str) -> bytes:
    """What Gmail sends to an address before it forwards mail there, signed."""
    raw = mail(text, sender="forwarding-noreply@google.com", message_id="<g@google.com>", **more)
    return signed(raw, "google.com")
