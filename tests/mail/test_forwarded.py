"""Whose mail a mail forwards, as mail programs write it."""

from __future__ import annotations

import time
from dataclasses import replace
from email.message import EmailMessage

import pytest

from bridge.mail.author import forwarded
from bridge.mail.forwarded import quoted
from bridge.mail.parse import parse
from bridge.mail.reading import read
from bridge.model import Forwarded
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


@pytest.mark.parametrize(
    ("said", "spec", "name"),
    [
        (
            "Pat O'Brien <pat.o'brien@customer.example>",
            "pat.o'brien@customer.example",
            "Pat O'Brien",
        ),
        ("O'Brien, Pat [mailto:o'brien@c.example]", "o'brien@c.example", "O'Brien, Pat"),
        ("*Carla* <carla@c.example<mailto:carla@c.example>>", "carla@c.example", "Carla"),
        ("Carla@C.Example", "Carla@C.Example", ""),
        ('"Doe, Carla" <carla@c.example>', "carla@c.example", "Doe, Carla"),
        ('&nbsp;"Carla" <carla@c.example>', "carla@c.example", "Carla"),
        ("a*b@c.example", "a*b@c.example", ""),
        (f"Reply <{'r' * 70}@c.example>", f"{'r' * 70}@c.example", "Reply"),
        ("fax:4930@c.example", None, ""),
        ('"eve@a.example" <eve@evil.example>', None, ""),
        ("Carla", None, ""),
    ],
)
def test_an_address_is_taken_whole_or_not_at_all(said: str, spec: str | None, name: str) -> None:
    origin = found(GMAIL.replace("Carla Customer <carla@customer.example>", said))
    assert (origin.sender.spec, origin.sender.name) == (spec, name) if origin else spec is None


VIC = """
---------- Forwarded message ---------
From: Vic <vic@bank.example>
Date: Fri, Nov 20, 2026 at 8:00 AM
Subject: Invoice
To: <carla@customer.example>

Bank words.
"""


def test_where_the_nearest_mail_does_not_say_whose_it_is_no_older_one_counts() -> None:
    origin = found(GMAIL + VIC)
    assert origin is not None
    assert (origin.sender.spec, origin.text) == ("carla@customer.example", "My display stays dark.")
    assert found(GMAIL.replace(" <carla@customer.example>", "") + VIC) is None


@pytest.mark.parametrize(
    "head",
    ["Von: Bob <bob@acme.example>\nGesendet: heute\nAn: Dora\nBetreff: x",
     "Subject: x\nDate: today\nFrom: Bob <bob@acme.example>\nTo: Dora"],
)  # fmt: skip
def test_the_head_of_another_mail_ends_the_words(head: str) -> None:
    origin = found(f"{GMAIL.rstrip()}\n\n{head}\n\nInternal.")
    assert origin is not None
    assert "Internal" not in origin.text
    assert "Bob" not in origin.text


@pytest.mark.parametrize(
    "prefix", ["Fwd", "FW", "WG", "TR", "VL", "[Fwd", "[EXTERN] WG", "ΠΡΘ", "הועבר", "İLT", "转发"]
)
def test_forwards_are_known_by_their_subject(prefix: str) -> None:
    """Programs name the mail they forward among the references, too."""
    assert found(GMAIL, subject=f"{prefix}: x", References="<x@customer.example>") is not None


def test_a_colleagues_other_address_is_nobody_else() -> None:
    assert found(GMAIL, Reply_To="bob.brown@acme.example") is not None


def test_a_mail_attached_to_a_forwarded_one_is_not_what_is_forwarded() -> None:
    inner = EmailMessage()
    inner["From"] = "Vic <vic@bank.example>"
    inner.set_content("Bank words.")
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"] = BOB, SUPPORT, "Fwd: x"
    outer.set_content(GMAIL)
    outer.add_attachment(inner)
    origin = forwarded(read(outer.as_bytes())[0], OWN)
    assert origin is not None
    assert origin.sender.spec == "carla@customer.example"


def test_of_several_attached_mails_none_is_chosen() -> None:
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"] = BOB, SUPPORT, "Have a look"
    outer.set_content("See both.")
    for name in ("carla", "vic"):
        inner = EmailMessage()
        inner["From"] = f"{name}@customer.example"
        inner.set_content("Words.")
        outer.add_attachment(inner)
    assert forwarded(read(outer.as_bytes())[0], OWN) is None


def test_a_hostile_forward_takes_linear_time_and_is_bounded() -> None:
    head = GMAIL.partition("\n\n")[2]
    assert len(read(mail(head * 2000, subject="Fwd: x", sender=BOB))[0].forwarded) == 5
    long = read(mail(f"{GMAIL}{'word ' * 50_000}", subject="Fwd: x", sender=BOB))[0]
    assert len(long.forwarded[0].text) == 2_000
    blanks = f"From: {' ' * 950}x a@b.example\nDate: Fri\nSubject: x\nTo: y\n\nhi\n\n" * 5
    many = "Sent: x\n" * 22_000
    for text in (blanks, many, "From: x <" * 20_000, "> " * 20_000):
        parsed = replace(parse(b"From: bob@acme.example\n\nx"), subject="Fwd: x", text=text)
        began = time.process_time()
        quoted(parsed)
        assert time.process_time() - began < 1, text[:20]
