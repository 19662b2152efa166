"""Emoji reactions that arrive as mails."""

from __future__ import annotations

import re

from bridge.mail.parse import parse
from bridge.model import SenderKind
from tests.stage import mail

GMAIL = """From: Carla <carla@customer.example>\r
Subject: Re: Display\r
In-Reply-To: <our@acme.example>\r
Content-Type: multipart/alternative; boundary=bb\r
\r
--bb\r
Content-Type: text/plain; charset=utf-8\r
\r
👍\r
\r
Carla Customer reacted via Gmail <https://www.google.com/gmail/about/?utm_source=x>\r
--bb\r
Content-Type: text/vnd.google.email-reaction+json; charset=utf-8\r
\r
{"emoji": "👍", "version": 1}\r
--bb\r
Content-Type: text/html; charset=utf-8\r
\r
<p style="font-size:50px">👍</p><p>Carla Customer reacted via Gmail</p>\r
--bb--\r
"""


def test_a_reaction_sent_by_mail_is_one_line_and_opens_nothing() -> None:
    for raw in (
        GMAIL.encode(),
        re.sub(r"--bb\r\nContent-Type: text/vnd.*?(?=--bb)", "", GMAIL, flags=re.DOTALL).encode(),
        mail("Carla Customer reacted to your message with ❤️", In_Reply_To="<x@acme.example>"),
    ):
        found = parse(raw)
        assert re.fullmatch(r"(?:👍|❤️) reacts to a mail", found.text)
        assert (found.html, found.attachments) == ("", ())
        assert found.sender_kind is SenderKind.AUTOMATIC
    said = "My husband reacted to your message with anger. Please call me."
    assert parse(mail(said)).text.strip() == said
