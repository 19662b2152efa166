"""Whose mail a mail forwards, as mail programs write it."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from bridge.mail.author import forwarded
from bridge.mail.reading import read
from bridge.model import Forwarded, Mail
from tests.stage import SUPPORT, mail

OWN = frozenset({SUPPORT})
BOB = "Bob Brown <bob@acme.example>"
GMAIL = """FYI, she is angry.

---------- Forwarded message ---------
From: Carla Customer <carla@customer.example>
Date: Fri, Nov 20, 2026 at 9:12 AM
Subject: Dark display
To: <bob@acme.example>


My display stays dark.
"""
GMAIL_DE = """---------- Weitergeleitete Nachricht ---------
Von: *Carla Customer* <carla@customer.example>
Datum: Fr., 20. Nov. 2026 um 09:12 Uhr
Betreff: Dark display
An: <bob@acme.example>


My display stays dark.
"""
OUTLOOK = """Can you take this?

-----Original Message-----
From: Customer, Carla [mailto:carla@customer.example]
Sent: Friday, November 20, 2026 9:12 AM
To: Bob Brown
Subject: Dark display

My display stays dark.
"""
OUTLOOK_365 = """________________________________
From: Carla Customer <carla@customer.example>
Sent: Friday, November 20, 2026 9:12:33 AM
To: Bob Brown <bob@acme.example>
Cc: boss@customer.example <boss@customer.example>
Subject: Dark display

My display stays dark.
"""
OUTLOOK_FR = """De : Carla Customer <carla@customer.example>
Envoyé : vendredi 20 novembre 2026 09:12
À : Bob Brown <bob@acme.example>
Objet : Dark display

My display stays dark.
"""
APPLE = """> Begin forwarded message:
>\x20
> From: Carla Customer <carla@customer.example>
> Subject: Dark display
> Date: 20 November 2026 at 09:12:33 CET
> To: bob@acme.example
>\x20
> My display stays dark.
"""
THUNDERBIRD = """

-------- Forwarded Message --------
Subject: \tDark display
Date: \tFri, 20 Nov 2026 09:12:33 +0100
From: \tCarla Customer <carla@customer.example>
To: \tbob@acme.example



My display stays dark.
"""
TWICE = """---------- Forwarded message ---------
From: Dora Doe <dora@acme.example>
Date: Fri, Nov 20, 2026 at 10:00 AM
Subject: Fwd: Dark display
To: <bob@acme.example>

Bob, yours?

---------- Forwarded message ---------
From: Carla Customer <carla@customer.example>
Date: Fri, Nov 20, 2026 at 9:12 AM
Subject: Dark display
To: <dora@acme.example>

My display stays dark.
"""


def found(text: str, subject: str = "Fwd: Dark display", **headers: str) -> Forwarded | None:
    raw = mail(text, subject=subject, sender=headers.pop("sender", BOB), **headers)
    read_mail, _ = read(raw)
    return forwarded(read_mail, OWN)


@pytest.mark.parametrize(
    "text", [GMAIL, GMAIL_DE, OUTLOOK, OUTLOOK_365, OUTLOOK_FR, APPLE, THUNDERBIRD, TWICE]
)
def test_the_author_of_a_forwarded_mail_and_their_words_are_found(text: str) -> None:
    origin = found(text)
    assert origin is not None
    assert origin.sender.spec == "carla@customer.example"
    assert origin.sender.name in ("Carla Customer", "Customer, Carla")
    assert origin.text == "My display stays dark."


def test_a_forward_needs_no_prefix_where_it_answers_nothing() -> None:
    assert found(OUTLOOK_365, subject="Dark display") is not None
    assert found(OUTLOOK_365, subject="Re: Dark display") is None
    assert found(OUTLOOK_365, subject="Dark display", In_Reply_To="<x@customer.example>") is None
    # Gmail and Outlook name the mail they forward, too
    assert found(GMAIL, In_Reply_To="<x@customer.example>") is not None


def test_a_mail_that_came_as_a_file_is_forwarded() -> None:
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "Carla Customer <carla@customer.example>", "Dark display"
    inner.set_content("My display stays dark.")
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"] = BOB, SUPPORT, "Have a look"
    outer.set_content("See the file.")
    outer.add_attachment(inner)
    read_mail, _ = read(outer.as_bytes())
    origin = forwarded(read_mail, OWN)
    assert origin is not None
    assert str(origin.sender) == "Carla Customer <carla@customer.example>"
    assert origin.text == "My display stays dark."


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        (GMAIL, {"sender": "Eve <eve@elsewhere.example>"}),  # no colleague
        (GMAIL, {"Reply_To": "Dora <dora@elsewhere.example>"}),  # who says whom to answer
        (GMAIL, {"Auto_Submitted": "auto-generated"}),
        (GMAIL.replace("carla@customer.example", "dora@acme.example"), {}),  # of ours
        (GMAIL.replace(" <carla@customer.example>", ""), {}),  # Exchange names people only
        (GMAIL.replace("Carla", "a@x.example on behalf of"), {}),  # two addresses
        ("From: here to there\nwe go", {}),
        ("Carla wrote:\n> My display stays dark.", {}),
    ],
)
def test_what_is_not_clearly_a_customers_mail_is_nobodys(
    text: str, headers: dict[str, str]
) -> None:
    assert found(text, **headers) is None


def test_a_hostile_forward_is_bounded() -> None:
    head = GMAIL.partition("\n\n")[2]
    assert len(read(mail(head * 2000, subject="Fwd: x", sender=BOB))[0].forwarded) == 5
    long = read(mail(f"{GMAIL}{'word ' * 50_000}", subject="Fwd: x", sender=BOB))[0]
    assert len(long.forwarded[0].text) == 20_000
    assert isinstance(long, Mail)
