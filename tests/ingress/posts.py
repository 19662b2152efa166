"""Requests as providers really make them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

MAILGUN, MANDRILL, TOPIC = "mailgun-key", "mandrill-key", "arn:aws:sns:eu-west-1:1:mail"
SENDGRID = ec.generate_private_key(ec.SECP256R1())
SENDGRID_KEY = base64.b64encode(
    SENDGRID.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
SUBSCRIBE_URL = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=x"


@dataclass(frozen=True)
class Request:
    """What is posted: the headers and the body."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_body(self, body: bytes) -> Request:
        return replace(self, body=body)


def form(fields: list[tuple[str, bytes]]) -> Request:
    """A multipart form, as requests and curl write it."""
    boundary = secrets.token_hex(16)
    body = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (boundary.encode(), name.encode(), value)
        for name, value in fields
    )
    body += b"--%s--\r\n" % boundary.encode()
    return Request(body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})


def urlencoded(fields: list[tuple[str, bytes]]) -> Request:
    kind = "application/x-www-form-urlencoded"
    return Request(urlencode(fields).encode(), {"Content-Type": kind})


def relay(raw: bytes, to: str) -> Request:
    headers = {"Content-Type": "message/rfc822", "X-Envelope-To": to,
               "X-Envelope-From": "bounce@customer.example"}  # fmt: skip
    return Request(raw, headers)


def mailgun(
    raw: bytes, to: str, *, key: str = MAILGUN, at: float | None = None, token: str = "",
    shape: Callable[[list[tuple[str, bytes]]], Request] = form, mime: bool = True,
) -> Request:  # fmt: skip
    token, when = token or secrets.token_hex(25), str(int(time.time() if at is None else at))
    signature = hmac.new(key.encode(), f"{when}{token}".encode(), hashlib.sha256).hexdigest()
    fields = [
        ("recipient", to.encode()), ("sender", b"carla@customer.example"),
        ("from", b"Carla <carla@customer.example>"), ("subject", b"Dark display"),
        ("timestamp", when.encode()), ("token", token.encode()), ("signature", signature.encode()),
        ("body-mime", raw) if mime else ("body-plain", raw.partition(b"\r\n\r\n")[2]),
    ]  # fmt: skip
    return shape(fields)


def mandrill(raw: bytes, to: str, url: str, *, key: str = MANDRILL) -> Request:
    events = [{"event": "inbound", "ts": 1, "msg": {
        "raw_msg": raw.decode("utf-8", "replace"), "email": to, "sender": "x@customer.example",
        "spf": {"result": "pass"}, "dkim": {"signed": True, "valid": True},
    }}]  # fmt: skip
    return mandrill_of(events, url, key)


def mandrill_of(events: object, url: str, key: str) -> Request:
    text = json.dumps(events)
    digest = hmac.new(key.encode(), f"{url}mandrill_events{text}".encode(), hashlib.sha1).digest()
    request = urlencoded([("mandrill_events", text.encode())])
    signature = {"X-Mandrill-Signature": base64.b64encode(digest).decode()}
    return Request(request.body, {**request.headers, **signature})


def postmark(raw: bytes, to: str, *, id_: str = "", whole: bool = True) -> Request:
    message = {
        "FromName": "Carla", "From": "carla@customer.example", "To": to, "Subject": "Dark display",
        "OriginalRecipient": to, "MessageID": id_ or secrets.token_hex(16),
        "Headers": [{"Name": "Message-ID", "Value": "<p1@customer.example>"},
                    {"Name": "X-Odd\r\nEvil", "Value": "a\r\nBcc: evil@evil.example"}],
        "TextBody": "Hello, my display stays dark.", "HtmlBody": "",
        "Attachments": [{"Name": "a.txt", "ContentType": "text/plain",
                         "Content": base64.b64encode(b"file").decode()}],
    }  # fmt: skip
    if whole:
        message["RawEmail"] = raw.decode("utf-8", "replace")
    return Request(json.dumps(message).encode(), {"Content-Type": "application/json"})


def sendgrid(raw: bytes, to: str, *, signed: bool = False, whole: bool = True) -> Request:
    envelope = json.dumps({"to": [to], "from": "x@customer.example"}).encode()
    fields = [("dkim", b"{@customer.example : pass}"), ("SPF", b"pass"), ("envelope", envelope)]
    if whole:
        fields.append(("email", raw))
    else:
        head, _, text = raw.partition(b"\r\n\r\n")
        fields += [("headers", head), ("text", text.decode().encode("latin-1", "replace")),
                   ("charsets", b'{"text": "iso-8859-1"}')]  # fmt: skip
    request = form(fields)
    if not signed:
        return request
    at = str(int(time.time()))
    signature = SENDGRID.sign(at.encode() + request.body, ec.ECDSA(hashes.SHA256()))
    name = "X-Twilio-Email-Event-Webhook"
    encoded = base64.b64encode(signature).decode()
    signs = {f"{name}-Timestamp": at, f"{name}-Signature": encoded}
    return Request(request.body, {**request.headers, **signs})


class Amazon:
    """Amazon SNS with a certificate of its own."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name)
            .public_key(self._key.public_key()).serial_number(1)
            .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
            .sign(self._key, hashes.SHA256())
        )  # fmt: skip
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)
        self.fetched: list[str] = []

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        return self.certificate

    def ses(self, raw: bytes, to: str, *, topic: str = TOPIC, dmarc: str = "PASS",
            version: str = "2", encoded: bool = True, certificate: str = CERTIFICATE_URL,
            id_: str = "") -> Request:  # fmt: skip
        content = base64.b64encode(raw).decode() if encoded else raw.decode("utf-8", "replace")
        action = {"type": "SNS", "topicArn": topic, "encoding": "BASE64" if encoded else "UTF-8"}
        inner = {
            "notificationType": "Received", "content": content,
            "mail": {"messageId": id_ or secrets.token_hex(16), "source": "x@customer.example"},
            "receipt": {"recipients": [to], "action": action, "dmarcVerdict": {"status": dmarc}},
        }  # fmt: skip
        return self.signed({
            "Type": "Notification", "MessageId": secrets.token_hex(16), "TopicArn": topic,
            "Message": json.dumps(inner), "Timestamp": "2026-11-28T10:00:00.000Z",
            "SignatureVersion": version, "SigningCertURL": certificate,
        })  # fmt: skip

    def subscription(self, *, topic: str = TOPIC, url: str = SUBSCRIBE_URL) -> Request:
        return self.signed({
            "Type": "SubscriptionConfirmation", "MessageId": "1", "TopicArn": topic,
            "Message": "You have chosen", "Timestamp": "2026-11-28T10:00:00.000Z", "Token": "t",
            "SubscribeURL": url, "SignatureVersion": "1", "SigningCertURL": CERTIFICATE_URL,
        })  # fmt: skip

    def signed(self, message: dict[str, str]) -> Request:
        names = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token",
                 "TopicArn", "Type")  # fmt: skip
        text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
        algorithm = hashes.SHA256() if message["SignatureVersion"] == "2" else hashes.SHA1()
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), algorithm)
        whole = {**message, "Signature": base64.b64encode(signature).decode()}
        headers = {"Content-Type": "text/plain; charset=UTF-8",
                   "x-amz-sns-message-type": message["Type"]}  # fmt: skip
        return Request(json.dumps(whole).encode(), headers)
