"""Mails that machines wrote, that are sealed, or that come in a parcel; written by hand."""

from __future__ import annotations

import base64
import quopri
import struct

TO = "support@acme.example"


def written(headers: str, body: str | bytes) -> bytes:
    head = "".join(f"{line.strip()}\r\n" for line in headers.strip().splitlines())
    rest = body if isinstance(body, bytes) else body.strip("\n").replace("\n", "\r\n").encode()
    return head.encode() + b"\r\n" + rest + b"\r\n"


def qp(text: str, charset: str = "utf-8") -> str:
    return quopri.encodestring(text.encode(charset)).decode()


def b64(data: bytes) -> str:
    return base64.encodebytes(data).decode()


BOUNCE = written(
    f"""
    Return-Path: <>
    From: Mail Delivery System <MAILER-DAEMON@mx.acme.example>
    To: {TO}
    Subject: Undelivered Mail Returned to Sender
    Date: Sat, 11 Jan 2025 07:00:00 +0000
    Message-ID: <bounce1@mx.acme.example>
    Auto-Submitted: auto-replied
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=delivery-status; boundary="r1"
    """,
    """
--r1
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients.

<carla@customer.example>: host mx.customer.example said: 550 5.1.1
    User unknown
--r1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.acme.example
Arrival-Date: Sat, 11 Jan 2025 06:59:58 +0000

Final-Recipient: rfc822; carla@customer.example
Original-Recipient: rfc822;carla@customer.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.customer.example
Diagnostic-Code: smtp; 550 5.1.1 User unknown
--r1
Content-Type: message/rfc822

From: Support <support@acme.example>
To: carla@customer.example
Subject: Re: Dark display
Message-ID: {original}

Have you pressed the button?
--r1--
""",
)
RECEIPT = written(
    f"""
    From: Carla Customer <carla@customer.example>
    To: {TO}
    Subject: Read: Re: Dark display
    Date: Sat, 11 Jan 2025 09:00:00 +0000
    Message-ID: <mdn1@customer.example>
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=disposition-notification; boundary="d1"
    """,
    """
--d1
Content-Type: text/plain

Your message was displayed.
--d1
Content-Type: message/disposition-notification

Reporting-UA: mail.customer.example
Final-Recipient: rfc822;carla@customer.example
Original-Message-ID: {original}
Disposition: manual-action/MDN-sent-manually; displayed
--d1--
""",
)
VACATION = written(
    f"""
    Return-Path: <>
    From: Carla Customer <carla@customer.example>
    To: {TO}
    Subject: Automatic reply: Dark display
    Date: Sat, 11 Jan 2025 07:05:00 +0000
    Message-ID: <ooo1@customer.example>
    Auto-Submitted: auto-replied
    X-Auto-Response-Suppress: All
    Content-Type: text/plain; charset=utf-8
    """,
    "I am away until Monday.",
)
ENCRYPTED = written(
    f"""
    From: Emil <emil@customer.example>
    To: {TO}
    Subject: ...
    Message-ID: <pgp1@customer.example>
    MIME-Version: 1.0
    Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="p1"
    """,
    """
--p1
Content-Type: application/pgp-encrypted

Version: 1
--p1
Content-Type: application/octet-stream; name="encrypted.asc"

-----BEGIN PGP MESSAGE-----
hQEMA
-----END PGP MESSAGE-----
--p1--
""",
)
SIGNED = written(
    f"""
    From: Emil <emil@customer.example>
    To: {TO}
    Subject: Signed
    Message-ID: <sg1@customer.example>
    MIME-Version: 1.0
    Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="s1"
    """,
    """
--s1
Content-Type: text/plain

Signed words.
--s1
Content-Type: application/pkcs7-signature; name="smime.p7s"
Content-Transfer-Encoding: base64

MIIB
--s1--
""",
)


def _object(level: int, name: int, data: bytes) -> bytes:
    return (
        struct.pack("<BHHI", level, name, 6, len(data))
        + data
        + struct.pack("<H", sum(data) % 65536)
    )


TNEF = (
    b"\x78\x9f\x3e\x22\x01\x00" + _object(1, 0x800C, b"Words inside the parcel.\0")
    + _object(2, 0x9002, b"\0" * 14) + _object(2, 0x8010, b"report.pdf\0")
    + _object(2, 0x800F, b"%PDF inside")
)  # fmt: skip
WINMAIL = written(
    f"""
    From: Olaf Outlook <olaf@customer.example>
    To: {TO}
    Subject: The report
    Message-ID: <tnef1@customer.example>
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="t1"
    """,
    f"""
--t1
Content-Type: text/plain

The report is attached.
--t1
Content-Type: application/ms-tnef; name="winmail.dat"
Content-Transfer-Encoding: base64

{b64(TNEF)}--t1--
""",
)
SAMPLES: dict[str, bytes] = {
    "bounce": BOUNCE, "receipt": RECEIPT, "vacation": VACATION, "encrypted": ENCRYPTED,
    "signed": SIGNED, "winmail": WINMAIL,
}  # fmt: skip
