"""Mails as programs of many kinds write them, written by hand: for reading, mutating and looking
at."""

from __future__ import annotations

import base64

from tests.mail import samples_odd
from tests.mail.samples_odd import TNEF as TNEF
from tests.mail.samples_odd import TO, b64, qp, written

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjmAAAAAElF"
    "TkSuQmCC"
)  # a red square


GMAIL = written(
    f"""
    From: Carla Customer <carla@customer.example>
    To: Support <{TO}>
    Subject: Re: Your order 4711
    Date: Mon, 6 Jan 2025 10:00:00 +0100
    Message-ID: <gmail1@mail.customer.example>
    In-Reply-To: <our1@acme.example>
    MIME-Version: 1.0
    Content-Type: multipart/alternative; boundary="b1"
    """,
    """
--b1
Content-Type: text/plain; charset="UTF-8"

Thanks, that works.

On Mon, Jan 6, 2025 at 9:00 AM Support <support@acme.example> wrote:

> Please press the button for ten seconds.
>
--b1
Content-Type: text/html; charset="UTF-8"

<div dir="ltr">Thanks, that <b>works</b>.</div><br><div class="gmail_quote"><div dir="ltr"
class="gmail_attr">On Mon, Jan 6, 2025 at 9:00 AM Support &lt;<a
href="mailto:support@acme.example">support@acme.example</a>&gt; wrote:<br></div><blockquote
class="gmail_quote" style="margin:0 0 0 .8ex"><p>Please press the button for ten seconds.</p>
</blockquote></div>
--b1--
""",
)
OUTLOOK = written(
    f"""
    From: "Müller, Jörg" <joerg.mueller@kunde.example>
    To: <{TO}>
    Subject: AW: Angebot für 200 Stück
    Date: Tue, 7 Jan 2025 08:12:44 +0000
    Message-ID: <DB9PR01MB0001@DB9PR01MB0001.eurprd01.prod.exchange.example>
    MIME-Version: 1.0
    Content-Type: multipart/related; boundary="o1"; type="multipart/alternative"
    """,
    f"""
--o1
Content-Type: multipart/alternative; boundary="o2"

--o2
Content-Type: text/plain; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

{qp("Guten Tag, Frau Schmidt,", "iso-8859-1")}

{qp("wir nehmen Ihr Angebot an. Bitte liefern Sie bis zum 15. Januar.", "iso-8859-1")}

{qp("Mit freundlichen Grüßen", "iso-8859-1")}
{qp("Jörg Müller", "iso-8859-1")}

Von: Acme Support <support@acme.example>
Gesendet: Montag, 6. Januar 2025 17:40
An: {qp("Müller, Jörg", "iso-8859-1")} <joerg.mueller@kunde.example>
Betreff: {qp("Angebot für 200 Stück", "iso-8859-1")}

anbei unser Angebot.
--o2
Content-Type: text/html; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

{
        qp(
            '''<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><style>
p.MsoNormal {margin:0cm; font-family:"Aptos",sans-serif;}</style></head><body lang="DE">
<div class="WordSection1"><p class="MsoNormal">Guten Tag, Frau Schmidt,<o:p></o:p></p>
<p class="MsoNormal"><o:p>&nbsp;</o:p></p>
<p class="MsoNormal">wir nehmen Ihr Angebot an. Bitte liefern Sie bis zum <b>15. Januar</b>:<o:p></o:p></p>
<table class="MsoNormalTable" border="1" cellpadding="0"><tr><td><p class="MsoNormal"><b>Artikel</b></p>
</td><td><p class="MsoNormal"><b>Stück</b></p></td><td><p class="MsoNormal"><b>Preis</b></p></td></tr>
<tr><td><p class="MsoNormal">Display 11"</p></td><td><p class="MsoNormal">150</p></td>
<td><p class="MsoNormal">89,00 €</p></td></tr><tr><td><p class="MsoNormal">Netzteil</p></td>
<td><p class="MsoNormal">50</p></td><td><p class="MsoNormal">12,50 €</p></td></tr></table>
<p class="MsoNormal"><o:p>&nbsp;</o:p></p>
<p class="MsoNormal">Mit freundlichen Grüßen<br>Jörg Müller<o:p></o:p></p>
<p class="MsoNormal"><img width="120" height="40" src="cid:image001.png@01DB6000" alt="Kunde GmbH"></p>
<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">
<p class="MsoNormal"><b>Von:</b> Acme Support &lt;support@acme.example&gt;<br><b>Gesendet:</b>
Montag, 6. Januar 2025 17:40<br><b>An:</b> Müller, Jörg &lt;joerg.mueller@kunde.example&gt;<br>
<b>Betreff:</b> Angebot für 200 Stück</p></div><p class="MsoNormal">anbei unser Angebot.</p>
</div></body></html>''',
            "cp1252",
        )
    }
--o2--
--o1
Content-Type: image/png; name="image001.png"
Content-ID: <image001.png@01DB6000>
Content-Disposition: inline; filename="image001.png"
Content-Transfer-Encoding: base64

{b64(PNG)}--o1--
""",
)
NEWSLETTER = written(
    f"""
    From: Paper & Ink <news@paper.example>
    To: {TO}
    Subject: =?UTF-8?Q?New_in_January_=F0=9F=93=9A?=
    Date: Wed, 8 Jan 2025 06:00:00 +0000
    Message-ID: <n1@mailer.paper.example>
    List-Unsubscribe: <https://paper.example/u/1>
    MIME-Version: 1.0
    Content-Type: multipart/alternative; boundary="n1"
    """,
    """
--n1
Content-Type: text/plain; charset=utf-8

View this mail in your browser: https://paper.example/v/1
--n1
Content-Type: text/html; charset=utf-8

<!DOCTYPE html><html><head><style>@import url(https://track.example/s.css); .x{color:red}</style>
<meta http-equiv="refresh" content="0;url=https://track.example/"></head><body background="https://track.example/bg.png">
<div style="display:none;max-height:0">Only this week&#847;&zwnj;&nbsp;&#847;&zwnj;&nbsp;&#847;&zwnj;&nbsp;</div>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center">
<table role="presentation" width="600"><tr><td><a href="https://paper.example/"><img
src="https://track.example/logo.png" alt="Paper &amp; Ink" width="180"></a></td></tr>
<tr><td><h1 style="color:#222">New in January</h1><p>Dear reader,<br>three books that we like:</p></td></tr>
<tr><td><table width="100%"><tr><td width="50%"><img src="https://track.example/1.jpg" alt="Cover: The Lane">
<h3>The Lane</h3><p>Jobs that wait their turn. <a href="https://track.example/c?u=1">www.paper.example/lane</a></p></td>
<td width="50%"><img src="https://track.example/2.jpg" alt="Cover: Durable"><h3>Durable</h3>
<p>What stays when the power goes.</p></td></tr></table></td></tr>
<tr><td><table border="1"><tr><th>Book</th><th>Price</th></tr><tr><td>The Lane</td><td>12.00</td></tr>
<tr><td>Durable</td><td>18.50</td></tr></table></td></tr>
<tr><td style="font-size:11px">Paper &amp; Ink, 1 Mill Lane · <a href="https://paper.example/u/1">Unsubscribe</a></td></tr>
</table></td></tr></table><img src="https://track.example/open.gif?u=1" width="1" height="1">
<script>fetch("https://track.example/x")</script></body></html>
--n1--
""",
)
INVITATION = written(
    f"""
    From: Dora Dorn <dora@partner.example>
    To: {TO}
    Subject: Kick-off
    Date: Thu, 9 Jan 2025 12:00:00 +0100
    Message-ID: <i1@partner.example>
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="i1"
    """,
    """
--i1
Content-Type: multipart/alternative; boundary="i2"

--i2
Content-Type: text/plain; charset=utf-8

Shall we meet for the kick-off?
--i2
Content-Type: text/html; charset=utf-8

<p>Shall we meet for the <b>kick-off</b>?</p>
--i2
Content-Type: text/calendar; charset=utf-8; method=REQUEST

BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//y//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:1@partner.example
DTSTAMP:20250109T110000Z
DTSTART;TZID=Europe/Berlin:20250114T100000
DTEND;TZID=Europe/Berlin:20250114T113000
SUMMARY:Kick-off
LOCATION:Room 5\\, 2nd floor
ORGANIZER;CN=Dora Dorn:mailto:dora@partner.example
ATTENDEE;CN=Support;PARTSTAT=NEEDS-ACTION:mailto:support@acme.example
ATTENDEE:mailto:emil@partner.example
END:VEVENT
END:VCALENDAR
--i2--
--i1--
""",
)
JAPANESE = written(
    f"""
    From: =?ISO-2022-JP?B?{base64.b64encode("山田太郎".encode("iso-2022-jp")).decode()}?= <yamada@kaisha.example>
    To: {TO}
    Subject: =?ISO-2022-JP?B?{base64.b64encode("注文番号４７１１について".encode("iso-2022-jp")).decode()}?=
    Date: Fri, 10 Jan 2025 18:30:00 +0900
    Message-ID: <j1@kaisha.example>
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="j1"
    """,
    b"--j1\r\nContent-Type: text/plain; charset=ISO-2022-JP\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
    + "サポート御中\r\n\r\nお世話になっております。山田です。\r\n先日注文した商品の画面が暗いままです。\r\n写真を添付しますので、ご確認ください。\r\n\r\nよろしくお願いいたします。\r\n\r\n2025年1月9日(木) 15:00 Support <support@acme.example> のメール:\r\n> ご注文ありがとうございます。\r\n".encode(
        "iso-2022-jp"
    )
    + b"--j1\r\nContent-Type: image/png; name*=utf-8''%E5%86%99%E7%9C%9F.png\r\n"
    b"Content-Disposition: attachment; filename*=utf-8''%E5%86%99%E7%9C%9F.png\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(PNG) + b"--j1--",
)
FORWARDED = written(
    f"""
    From: Carla Customer <carla@customer.example>
    To: {TO}
    Subject: Fwd: your colleague's answer
    Date: Sun, 12 Jan 2025 10:00:00 +0000
    Message-ID: <f1@customer.example>
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="f1"
    """,
    """
--f1
Content-Type: text/plain

Please see the mail attached.
--f1
Content-Type: message/rfc822
Content-Disposition: attachment

From: Bob <bob@acme.example>
To: carla@customer.example
Subject: Warranty of order 4711
Content-Type: text/plain

It is still under warranty.
--f1--
""",
)
FLOWED = written(
    f"""
    From: Emil <emil@customer.example>
    To: {TO}
    Subject: Flowed
    Message-ID: <fl1@customer.example>
    Content-Type: text/plain; charset=utf-8; format=flowed
    """,
    "This is one paragraph that a mail program \nbroke softly over \nthree lines.\n\n"
    "> And this one is \n> a quote.\n\n-- \nEmil",
)
MIXED = written(
    f"""
    From: Emil <emil@customer.example>
    To: {TO}
    Subject: Words, a picture, words
    Message-ID: <mx1@customer.example>
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="m1"
    """,
    f"""
--m1
Content-Type: text/html; charset=utf-8

<html><body>Before the picture.</body></html>
--m1
Content-Type: image/png; name="between.png"
Content-Disposition: inline; filename="between.png"
Content-Transfer-Encoding: base64

{b64(PNG)}--m1
Content-Type: text/plain; charset=utf-8

After the picture.
--m1
Content-Type: text/plain; charset=us-ascii
Content-Disposition: inline

_____________________________
The footer of a mailing list
--m1--
""",
)
SAMPLES: dict[str, bytes] = {
    "gmail": GMAIL, "outlook": OUTLOOK, "newsletter": NEWSLETTER, "invitation": INVITATION,
    "japanese": JAPANESE, "forwarded": FORWARDED, "flowed": FLOWED, "mixed": MIXED,
    **samples_odd.SAMPLES,
}  # fmt: skip
