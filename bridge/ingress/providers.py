"""Who posts mail to us: a row for each kind of provider or script. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.ingress import signatures
from bridge.ingress.posted import Broken, Posted, Received, Unusable, decoded, last, text_as_mail
from bridge.ingress.rebuild import File, header_lines, rebuilt
from bridge.mail import limits
from bridge.mail.charset import decode
from bridge.mail.parse import recipients, senders
from bridge.model import Verdict

RAW_MISSING = "Mails come in parts, not as they were sent: {} Till then they are put together."
Verify = Callable[[Posted, str, float], None]
"""(request, key, epoch seconds); raises Forged."""


@dataclass(frozen=True, slots=True)
class PostKind:
    """How one provider posts mail, proves it, and wants to be answered."""

    label: str
    path: str
    """Behind our address and its secret; some providers look at how it ends."""
    rails: tuple[str, ...]
    """The same under Rails' Action Mailbox, behind /rails/action_mailbox."""
    read: Callable[[Posted], list[Received]]
    """Raises Unusable."""
    verify: Verify | None = None
    """None where a user and password in the address prove it."""
    key: str = ""
    """What the key is called there, and where it stands; empty where there is none."""
    key_is_optional: bool = False
    """Whether a password proves it where no key is set."""
    done: int = 200
    too_large: int = 413
    unusable: int = 422
    """Answers after which the provider does not try again. A fault of ours is answered 503, and
    what is not proven 401, so that a corrected key still gets the mail."""
    raw_only: bool = False
    """Whether only message/rfc822 is a mail (else 415): a script of our own posts it."""
    in_batches: bool = False
    """Whether a request may bring many mails: then one that cannot be taken is told, and left out,
    or it would keep the others back."""
    binds_ids: bool = False
    """Whether its id of a mail belongs to the signature, and may come with that mail only."""


def _relay(posted: Posted) -> list[Received]:
    """A whole mail as the body, its envelope beside it or in its topmost headers."""
    if not posted.body.strip():
        raise Unusable("a mail was expected, and the body is empty")
    headers, query = posted.headers, posted.query
    to = headers.get("x-envelope-to") or query.get("recipient", "")
    named = tuple(re.findall(r"[^\s,;<>]+@[^\s,;<>]+", to))
    sender = (headers.get("x-envelope-from") or query.get("sender", "")).strip().strip("<>")
    return [Received(posted.body, named or _traced(posted.body), sender)]


def _traced(raw: bytes) -> tuple[str, ...]:
    """The envelope's recipient as the last server wrote it into the mail, else all recipients."""
    found = limits.END_OF_HEADERS.search(raw)
    head = raw[: found.start() if found else len(raw)][:100_000].decode("latin-1")
    for name, value in header_lines(head):
        if name.casefold() in ("x-original-to", "delivered-to", "envelope-to"):
            return (value.strip().strip("<>"),)
    return recipients(raw)


def _mailgun(posted: Posted) -> list[Received]:
    fields = posted.fields()
    raw = next((value for name, value in fields if name == "body-mime"), b"")
    remark = ""
    if not raw:
        remark = RAW_MISSING.format("let the route's address end in /mime, with forward().")
        try:
            headers = [(str(name), str(value)) for name, value in json.loads(
                last(fields, "message-headers"))]  # fmt: skip
        except (ValueError, TypeError):
            headers = [(name.title(), last(fields, name)) for name in ("from", "subject")]
        text, html = last(fields, "body-plain"), last(fields, "body-html")
        if not text and not html and not last(fields, "from"):
            raise Unusable("body-mime was expected")
        told = posted.files()
        raw = rebuilt(headers, text, html, [
            File(*told.get(name, (name, "")), value)
            for name, value in fields if re.fullmatch(r"attachment-\d+", name)
        ])  # fmt: skip
    to = tuple(each.strip() for each in last(fields, "recipient").split(",") if "@" in each)
    return [Received(raw, to, last(fields, "sender"), last(fields, "token"), remark=remark)]


def _mandrill(posted: Posted) -> list[Received]:
    try:
        events = json.loads(last(posted.fields(), "mandrill_events"))
    except (ValueError, RecursionError) as error:
        raise Broken("mandrill_events was expected") from error
    found = []
    for event in events if isinstance(events, list) else []:
        message = event.get("msg") if isinstance(event, dict) else None
        if not isinstance(message, dict) or event.get("event") != "inbound":
            continue
        raw = text_as_mail(message.get("raw_msg")) or _of_mandrill(message)
        to = message.get("email")
        found.append(Received(raw, (str(to),) if to else (), str(message.get("sender") or "")))
    return found


def _of_mandrill(message: dict[str, Any]) -> bytes:
    """A mail that Mandrill gives in parts only."""
    given = message.get("headers")
    headers = [
        (str(name), str(value))
        for name, values in (given.items() if isinstance(given, dict) else ())
        for value in (values if isinstance(values, list) else [values])
    ]
    files = message.get("attachments")
    return rebuilt(headers, _text(message, "text"), _text(message, "html"), [
        File(_text(each, "name"), _text(each, "type"),
             decoded(each.get("content")) if each.get("base64") else text_as_mail(
                 each.get("content")))
        for each in _dicts(list(files.values()) if isinstance(files, dict) else files)
    ])  # fmt: skip


def _postmark(posted: Posted) -> list[Received]:
    message = posted.json()
    raw, remark = text_as_mail(message.get("RawEmail")), ""
    if not raw:
        if not message.get("From") and not message.get("Headers"):
            raise Unusable("RawEmail was expected")
        remark = RAW_MISSING.format("tick “Include raw email content” at the inbound stream.")
        given = [("From", _text(message, "From")), ("To", _text(message, "To")),
                 ("Cc", _text(message, "Cc")), ("Subject", _text(message, "Subject")),
                 ("Date", _text(message, "Date")), *_pairs(message.get("Headers"))]  # fmt: skip
        named = [(name, value) for name, value in given if value]
        raw = rebuilt(named, _text(message, "TextBody"), _text(message, "HtmlBody"), [
            File(_text(each, "Name"), _text(each, "ContentType"),
                 decoded(each.get("Content") or each.get("Data")), _text(each, "ContentID"))
            for each in _dicts(message.get("Attachments"))
        ])  # fmt: skip
    to = _text(message, "OriginalRecipient")
    return [Received(raw, (to,) if to else (), "", _text(message, "MessageID"), remark=remark)]


def _sendgrid(posted: Posted) -> list[Received]:
    fields = posted.fields()
    raw = next((value for name, value in fields if name == "email"), b"")
    remark = ""
    if not raw:
        if not last(fields, "headers") and not last(fields, "from"):
            raise Unusable("the field email was expected")
        remark = RAW_MISSING.format("tick “POST the raw, full MIME message”.")
        raw = rebuilt(header_lines(last(fields, "headers")), *_in_their_charsets(fields))
    try:
        envelope = json.loads(last(fields, "envelope"))
        to = tuple(str(each) for each in envelope["to"])
        sender = str(envelope.get("from") or "")
    except (ValueError, TypeError, KeyError, AttributeError):
        to, sender = (), ""
    signed = set(re.findall(r"@([\w.-]+) : pass", last(fields, "dkim")))
    domains = {spec.rpartition("@")[2] for spec in senders(raw)}
    passed = bool(domains) and domains <= {each.casefold() for each in signed}
    verdict = Verdict.PASS if passed else Verdict.NONE
    return [Received(raw, to, sender, "", verdict, remark)]


def _in_their_charsets(fields: list[tuple[str, bytes]]) -> tuple[str, str, list[File]]:
    try:
        charsets = json.loads(last(fields, "charsets"))
    except ValueError:
        charsets = {}
    texts = []
    for name in ("text", "html"):
        value = next((each for field, each in fields if field == name), b"")
        charset = charsets.get(name, "utf-8") if isinstance(charsets, dict) else "utf-8"
        texts.append(decode(value, str(charset)))
    try:
        told = json.loads(last(fields, "attachment-info"))
    except ValueError:
        told = {}
    files = []
    for name, value in fields:
        if re.fullmatch(r"attachment\d+", name):
            about = told.get(name, {}) if isinstance(told, dict) else {}
            files.append(File(_text(about, "filename") or name, _text(about, "type"), value,
                              _text(about, "content-id")))  # fmt: skip
    return texts[0], texts[1], files


def _ses(posted: Posted) -> list[Received]:
    """A notification of Amazon SNS with the mail inside; of other messages nothing."""
    outer = posted.json()
    if outer.get("Type") != "Notification":
        return []
    try:
        inner = json.loads(str(outer.get("Message")))
    except (ValueError, RecursionError) as error:
        raise Unusable("a notification of SES was expected") from error
    receipt, mail = (inner.get(name) if isinstance(inner, dict) else None
                     for name in ("receipt", "mail"))  # fmt: skip
    if not isinstance(receipt, dict) or not isinstance(mail, dict):
        if isinstance(inner, dict) and "Succeeded" in str(inner.get("notificationType")):
            return []  # AmazonSnsSubscriptionSucceeded
        raise Unusable("a notification of SES with receipt and mail was expected")
    content, action = inner.get("content"), receipt.get("action")
    if not isinstance(content, str) or not content:
        raise Unusable("the notification has no content: choose the SNS action, not S3, in SES")
    encoded = isinstance(action, dict) and action.get("encoding") == "BASE64"
    raw = base64.b64decode(content) if encoded else text_as_mail(content)
    status = receipt.get("dmarcVerdict")
    verdict = {"PASS": Verdict.PASS, "FAIL": Verdict.FAIL}.get(
        str(status.get("status")) if isinstance(status, dict) else "", Verdict.NONE
    )
    to = tuple(str(each) for each in receipt.get("recipients") or ())
    remark = "" if encoded else "Choose Base64 as the encoding of the SNS action in SES."
    return [Received(raw, to, str(mail.get("source") or ""), str(mail.get("messageId") or ""),
                     verdict, remark)]  # fmt: skip


def _text(values: Any, name: str) -> str:
    value = values.get(name) if isinstance(values, dict) else None
    return value if isinstance(value, str) else ""


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _pairs(values: Any) -> list[tuple[str, str]]:
    return [(_text(each, "Name"), _text(each, "Value")) for each in _dicts(values)]


SCRIPTS = ("relay", "postfix", "exim", "qmail")
KINDS: Mapping[str, PostKind] = {
    "relay": PostKind(
        "a script or relay", "/relay", tuple(f"/{name}/inbound_emails" for name in SCRIPTS),
        _relay, done=204, raw_only=True,
    ),
    "mailgun": PostKind(
        "Mailgun", "/mailgun/mime", ("/mailgun/inbound_emails/mime",), _mailgun,
        signatures.mailgun, "the HTTP webhook signing key", too_large=406, unusable=406,
        binds_ids=True,
    ),
    "mandrill": PostKind(
        "Mandrill", "/mandrill", ("/mandrill/inbound_emails",), _mandrill, signatures.mandrill,
        "the key that Mandrill shows beside the webhook once it is there", in_batches=True,
    ),
    "postmark": PostKind(
        "Postmark", "/postmark", ("/postmark/inbound_emails",), _postmark, too_large=403,
        unusable=403,
    ),
    "sendgrid": PostKind(
        "SendGrid", "/sendgrid", ("/sendgrid/inbound_emails",), _sendgrid, signatures.sendgrid,
        "the public key of a security policy with signatures", key_is_optional=True,
    ),
    "ses": PostKind(
        "Amazon SES", "/ses", ("/ses/inbound_emails",), _ses, None, "the ARN of the SNS topic",
    ),
}  # fmt: skip


def of_rails(path: str) -> str | None:
    """The kind of a path behind /rails/action_mailbox; None for none."""
    plain = path.rstrip("/")
    return next((name for name, kind in KINDS.items() if plain in kind.rails), None)


def names() -> Sequence[str]:
    return list(KINDS)
