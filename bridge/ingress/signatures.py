"""How providers prove that a request is theirs. Pure: `now` is epoch seconds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from bridge.ingress.posted import Broken, Forged, Posted, last

BACK, AHEAD = 24 * 3600.0, 300.0
"""Seconds that a timestamp may be old, or ahead: a retry carries the first attempt's."""
SNS_HOST = re.compile(r"sns\.[a-z]{2}(-[a-z]+)+-\d{1,2}\.amazonaws\.com(\.cn)?")
"""Not more: `sns.s3-….amazonaws.com` would be somebody's bucket."""
CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-zA-Z]{1,64}\.pem")
SIGNED_BY_SNS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    **dict.fromkeys(("SubscriptionConfirmation", "UnsubscribeConfirmation"), (
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    )),
}  # fmt: skip


def mailgun(posted: Posted, key: str, now: float) -> None:
    """HMAC-SHA256 over timestamp and token. It does not cover the body: that the token comes with
    one body only is looked at where the mail is stored. Raises Forged."""
    fields = posted.fields()
    at, token, given = (last(fields, name) for name in ("timestamp", "token", "signature"))
    wanted = hmac.new(key.encode(), f"{at}{token}".encode(), hashlib.sha256).hexdigest()
    if not token or not hmac.compare_digest(wanted.encode(), given.casefold().encode()):
        raise Forged("the signature does not fit the key")
    if not re.fullmatch(r"\d{1,12}", at) or not now - BACK <= int(at) <= now + AHEAD:
        raise Forged("the timestamp is more than a day old, or ahead")


def mandrill(posted: Posted, key: str, now: float) -> None:
    """HMAC-SHA1 over our address as it was typed there, and all fields by name. Raises Forged."""
    fields = sorted(posted.fields(), key=lambda field: field[0])
    rest = b"".join(name.encode() + value for name, value in fields)
    given = posted.headers.get("x-mandrill-signature", "").encode()
    for url in posted.urls:
        digest = hmac.new(key.encode(), url.encode() + rest, hashlib.sha1).digest()
        if hmac.compare_digest(base64.b64encode(digest), given):
            return
    raise Forged("the signature fits neither the key nor the address in public_url")


def sendgrid(posted: Posted, key: str, now: float) -> None:
    """ECDSA over timestamp and the raw body, with the public key as base64 of its DER form. Raises
    Forged."""
    headers = posted.headers
    at = headers.get("x-twilio-email-event-webhook-timestamp", "")
    given = headers.get("x-twilio-email-event-webhook-signature", "")
    try:
        public = serialization.load_der_public_key(base64.b64decode(key))
        signature = base64.b64decode(given)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Forged("the key, or the signature, cannot be read") from error
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise Forged("the key is not one of the kind that SendGrid has")
    try:
        public.verify(signature, at.encode() + posted.body, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise Forged("the signature does not fit the key") from error
    if not re.fullmatch(r"\d{1,12}", at) or not now - BACK * 3 <= int(at) <= now + AHEAD:
        raise Forged("the timestamp is more than three days old, or ahead")


def is_certificate_of_sns(url: Any) -> bool:
    """Whether an address is one of the certificates of Amazon SNS."""
    if not is_of_sns(url):
        return False
    parts = urlsplit(url)
    return CERTIFICATE.fullmatch(parts.path) is not None and not parts.query


def is_of_sns(url: Any) -> bool:
    """Whether an address is one of Amazon SNS itself."""
    parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    return (
        parts.scheme == "https"
        and SNS_HOST.fullmatch(parts.hostname or "") is not None
        and parts.port in (None, 443)
        and parts.username is None
    )


def sns(posted: Posted, topic: str, certificate: bytes) -> None:
    """The signature of Amazon SNS, by the certificate that the message names, and the topic that
    is configured: any topic has valid signatures. Raises Forged."""
    message = posted.json()
    names = SIGNED_BY_SNS.get(str(message.get("Type")), ())
    signed = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    if not hmac.compare_digest(str(message.get("TopicArn")).encode(), topic.encode()):
        raise Forged("it is of another topic")
    algorithm = hashes.SHA256() if message.get("SignatureVersion") == "2" else hashes.SHA1()  # noqa: S303 - SNS version 1
    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
    except ValueError as error:
        raise Broken("the certificate of SNS cannot be read") from error
    try:
        signature = base64.b64decode(str(message.get("Signature")))
        if not names or not isinstance(public, rsa.RSAPublicKey):
            raise Forged("it is signed in a way that SNS does not")
        public.verify(signature, signed.encode(), padding.PKCS1v15(), algorithm)
    except (ValueError, InvalidSignature) as error:
        raise Forged("the signature does not fit Amazon's certificate") from error
