"""What of a mail is shown, what is a file, and what stands above: on samples of many programs."""

from __future__ import annotations

import base64
import struct
import time
from email.message import EmailMessage

import pytest

from bridge.mail import calendar, flowed, tnef
from bridge.mail.charset import decode
from bridge.mail.header import parameter
from bridge.mail.parse import parse
from bridge.mail.reading import read
from bridge.model import RecipientStatus, SenderKind
from tests.mail.parts import part_bytes
from tests.mail.samples import PNG, SAMPLES, TNEF

FILES = {
    "gmail": [], "outlook": ["image001.png"], "newsletter": [], "invitation": ["invitation.ics"],
    "japanese": ["写真.png"], "bounce": ["delivery-status.txt", "Re: Dark display.eml"],
    "receipt": ["receipt.txt"], "vacation": [], "forwarded": ["Warranty of order 4711.eml"],
    "flowed": [], "mixed": ["between.png"], "encrypted": ["version.txt", "encrypted.asc"],
    "signed": ["smime.p7s"], "winmail": ["report.pdf"],
}  # fmt: skip
SHOWN = {
    "gmail": "Thanks, that works.", "invitation": "Shall we meet for the kick-off?",
    "vacation": "I am away until Monday.", "forwarded": "Please see the mail attached.",
    "flowed": "This is one paragraph that a mail program broke softly over three lines.\n\n"
              "> And this one is a quote.",
    "mixed": "Before the picture.\nAfter the picture.", "signed": "Signed words.",
    "winmail": "The report is attached.", "receipt": "Your message was displayed.",
}  # fmt: skip
NATURES = {
    "bounce": SenderKind.BOUNCE, "receipt": SenderKind.RECEIPT, "vacation": SenderKind.AUTOMATIC,
    "newsletter": SenderKind.LIST,
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_read_as_its_program_meant_it(name: str) -> None:
    raw = SAMPLES[name]
    mail, body = read(raw)
    assert not mail.problem
    assert [each.name for each in mail.attachments] == FILES[name]
    assert mail.sender_kind is NATURES.get(name, SenderKind.PERSON)
    if name in SHOWN:
        assert body.text == SHOWN[name]
    for each in mail.attachments:
        assert len(part_bytes(raw, each.part)) == each.size


def test_a_picture_between_words_keeps_both_and_its_bytes() -> None:
    mail, body = read(SAMPLES["mixed"])
    assert body.html.index("Before") < body.html.index("After")
    assert "The footer of a mailing list" in body.history
    assert part_bytes(SAMPLES["mixed"], mail.attachments[0].part) == PNG


def test_an_invitation_says_what_when_where_and_who() -> None:
    mail, _ = read(SAMPLES["invitation"])
    assert tuple(calendar.in_zone(each, None) for each in mail.notes) == (
        "📅 Invitation: Kick-off · Tue 14 Jan 2025 10:00–11:30 (Europe/Berlin) · Room 5, 2nd floor"
        " · from Dora Dorn <dora@partner.example> · with Support <support@acme.example>,"
        " emil@partner.example",
    )


@pytest.mark.parametrize(
    ("method", "event", "line"),
    [
        ("CANCEL", "SUMMARY:Fair\nDTSTART;VALUE=DATE:20250301\nDTEND;VALUE=DATE:20250304",
         "📅 Cancelled: Fair · Sat 1 Mar 2025 – Mon 3 Mar 2025"),
        ("REPLY", "SUMMARY:Fair\nATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@x.example",
         "📅 Answer: Fair · bob@x.example accepts"),
        ("REQUEST", "DTSTART:20250301T230000Z\nDURATION:PT2H\nRRULE:FREQ=WEEKLY",
         "📅 Invitation: (no title) · Sat 1 Mar 2025 23:00 – Sun 2 Mar 2025 01:00 (UTC) · repeats"),
        ("PUBLISH", "SUMMARY:a\\u202eb\nDTSTART:nonsense", "📅 Event: ab"),
    ],
)  # fmt: skip
def test_events_of_other_kinds(method: str, event: str, line: str) -> None:
    event = event.encode().decode("unicode_escape") if "\\u" in event else event
    text = f"BEGIN:VCALENDAR\nMETHOD:{method}\nBEGIN:VEVENT\n{event}\nEND:VEVENT\nEND:VCALENDAR\n"
    found = tuple(calendar.in_zone(each, None) for each in calendar.lines(text.encode()))
    assert not found or found == (line,)
    assert found or "nonsense" in event


def test_a_broken_or_huge_calendar_is_a_file_and_no_line() -> None:
    assert calendar.lines(b"BEGIN:VCALENDAR\nBEGIN:VEVENT") == ()
    assert calendar.lines(b"x" * 300_000) == ()
    many = b"BEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT\n" * 50
    assert calendar.lines(b"BEGIN:VCALENDAR\n" + many + b"END:VCALENDAR\n")[-1].endswith(
        "and 47 more events"
    )


def test_a_parcel_of_outlook_is_opened_and_speaks_where_the_mail_does_not() -> None:
    raw = SAMPLES["winmail"]
    mail, _ = read(raw)
    assert part_bytes(raw, mail.attachments[0].part) == b"%PDF inside"
    silent = raw.replace(b"The report is attached.", b"")
    assert read(silent)[0].text == "Words inside the parcel."
    for broken in (b"", TNEF[:9], b"x" + TNEF, TNEF[:6] + b"\0" * 11 * 3000):
        found = tnef.unpack(broken)
        assert found is None or not found.files
    kept = raw.replace(raw[raw.index(b"eJ8+Ig") : raw.index(b"--t1--")], b"AAAA\r\n")
    assert [each.name for each in read(kept)[0].attachments] == ["winmail.dat"]


def test_an_alternative_that_says_something_else_is_a_file() -> None:
    parts = "".join(f"--x\nContent-Type: text/plain\n\n{text}\n" for text in ("one", "two", "one"))
    raw = f"Content-Type: multipart/alternative; boundary=x\n\n{parts}--x--\n".encode()
    mail = parse(raw)
    assert mail.text.strip() == "one"
    assert [part_bytes(raw, each.part).strip() for each in mail.attachments] == [b"two"]


def test_a_text_that_stands_for_nothing_gives_way_to_the_words_of_the_html() -> None:
    mail, body = read(SAMPLES["newsletter"])
    assert "Jobs that wait their turn." in mail.text
    assert "View this mail in your browser" in mail.text
    assert not body.whole  # it fits its room
    long = SAMPLES["newsletter"].replace(
        b"Jobs that wait", b"<b>Deep</b> " * 4000 + b"Jobs that wait"
    )
    assert "Jobs that wait" in read(long)[1].whole


def test_what_is_cut_is_said_and_pictures_in_the_html_cut_nothing() -> None:
    head = b"Content-Type: text/html\n\n"
    picture = b"<img src='data:image/png;base64," + b"iVBORw0K" * 200_000 + b"'>"
    mail = parse(head + picture + b"<p>Words below.")
    assert ("Words below." in mail.text, mail.problem) == (True, "")
    assert parse(head + b"<p>word</p>" * 100_000).problem == "it is too long"
    assert parse(b"Subject: Long\n\n" + b"word " * 500_000).problem == "it is too long"
    many = b"".join(b"--x\n\npart %d\n" % n for n in range(1001))
    mail = parse(b"Content-Type: multipart/mixed; boundary=x\n\n" + many + b"--x--\n")
    assert mail.problem == "it has 1,000 parts or more"
    deep = b""
    for n in range(60):
        deep += b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n)
    assert parse(deep + b"\nlost").problem == "it is nested too deeply"


def test_a_parcel_whose_only_text_is_rtf_stays_a_file() -> None:
    rtf = struct.pack("<IHHII", 1, 0x0102, 0x1009, 1, 8) + b"{\\rtf1 }"
    parcel = tnef.SIGNATURE + b"\1\0" + struct.pack("<BHHI", 1, 0x9003, 6, len(rtf)) + rtf + b"\0\0"
    title = struct.pack("<BHHI", 2, 0x9002, 6, 14) + bytes(16)
    file = struct.pack("<BHHI", 2, 0x800F, 6, 4) + b"file\0\0"
    head = b"Content-Type: multipart/mixed; boundary=x\n\n--x\n"
    part = b"Content-Type: application/ms-tnef\nContent-Transfer-Encoding: base64\n\n"
    part += base64.encodebytes(parcel + title + file) + b"\n--x--\n"
    assert [each.size for each in parse(head + part).attachments] == [4, len(parcel + title + file)]
    said = head + b"\nThe text.\n--x\n" + part
    assert [each.size for each in parse(said).attachments] == [4]


def test_a_multipart_without_parts_and_text_of_odd_kinds_is_shown() -> None:
    assert parse(b"Content-Type: multipart/mixed; boundary=x\n\nonly words").text == "only words"
    assert parse(b"Content-Type: multipart/mixed\n\nonly words").text == "only words"
    assert parse(b"Content-Type: text/enriched\n\nonly words").text == "only words"
    assert parse(b"Content-Type: text/html\n\n<p>only words").text == "only words"
    html = b'Content-Type: text/html\n\n<meta charset="shift_jis"><p>' + "日本語".encode("cp932")
    assert parse(html).text == "日本語"


def test_one_damaged_event_hides_no_other() -> None:
    events = "".join(
        f"BEGIN:VEVENT\r\nSUMMARY:{name}\r\nDTSTART:{at}\r\nEND:VEVENT\r\n"
        for name, at in (("Bad", "20259999T999999"), ("Good", "20250106T090000Z"))
    )
    ics = f"BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n".encode()
    assert any("Good" in line for line in calendar.lines(ics))


def test_softly_broken_lines_are_joined_and_a_signature_is_not() -> None:
    assert flowed.unfold("a \nb\n-- \nc") == "a b\n-- \nc"
    assert flowed.unfold("> a \n> b\n>> c") == "> a b\n>> c"
    assert flowed.unfold("a \nb", delete_space=True) == "ab"
    assert flowed.unfold(" >no quote") == ">no quote"


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        ("Gruß ".encode() * 20 + b"\xff", "utf-8", "Gruß " * 20 + "ÿ"),
        ("注文".encode("iso-2022-jp"), "iso-2022-jp", "注文"),
        ("한국어".encode("cp949"), "ks_c_5601-1987", "한국어"),
        ("\ufeffx".encode(), "utf-8", "x"),
        (b"\x80\x93quoted\x94", "iso-8859-1", "€“quoted”"),
        (b"caf\xc3\xa9", "x-unknown", "café"),
        (b"\\u4f60", "unicode_escape", "\\u4f60"),
        (b"xn--a", "punycode", "xn--a"),
        ("Привет, как дела?".encode("koi8-r"), "koi8-r*ru", "Привет, как дела?"),
    ],
)  # fmt: skip
def test_charsets_as_senders_name_them(data: bytes, declared: str, text: str) -> None:
    assert decode(data, declared) == text


@pytest.mark.parametrize("charset", ["idna", "punycode", "utf-7"])
def test_a_codec_that_is_no_charset_takes_no_time(charset: str) -> None:
    began = time.process_time()
    decode(b"xn--" + b"a" * 200_000 + b"\xff", charset)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename=my report.pdf", "my report.pdf"),
        ("attachment; filename*0*=utf-8''%c3%84; filename*1=rger.pdf", "Ärger.pdf"),
        ("attachment; filename*=x-nonsense''%c3%84rger.pdf", "Ärger.pdf"),
        ('attachment; filename="=?utf-8?b?w4RyZ2VyLnBkZg==?="', "Ärger.pdf"),
        ('attachment; filename="Ärger.pdf"', "Ärger.pdf"),
    ],
)
def test_file_names_as_programs_write_them(header: str, name: str) -> None:
    mail = parse(f"Content-Type: application/pdf\nContent-Disposition: {header}\n\nx".encode())
    assert [each.name for each in mail.attachments] == [name]
    assert parameter(EmailMessage(), "content-disposition", "filename") == ""


@pytest.mark.parametrize(
    ("headers", "date"),
    [
        ("Date: Mon, 6 Jan 2025 10:00:00 +0100", 1736154000.0),
        ("Date: nonsense\nReceived: by x; Mon, 6 Jan 2025 10:00:00 +0100", 1736154000.0),
        ("Date: 2025-01-06T10:00:00+01:00", 1736154000.0),
        ("Resent-Date: Mon, 6 Jan 2025 10:00:00 +0100", 1736154000.0),
        ("Date: Mon, 6 Jan 2025 09:00:00 -0000", 1736154000.0),
        ("Date: 2025-01-06T09:00:00", 1736154000.0),
        ("Date: Mon, 6 Jan 12025 10:00:00 +0100", 0.0),
        ("", 0.0),
    ],
)
def test_when_a_mail_was_written(headers: str, date: float) -> None:
    assert parse(f"{headers}\n\nx".encode()).date == date


def test_what_a_bounce_and_a_receipt_report() -> None:
    bounce = parse(SAMPLES["bounce"].replace(b"{original}", b"<1.2.x@acme.example>"))
    assert bounce.report is not None
    assert bounce.report.originals == ("<1.2.x@acme.example>",)
    assert bounce.report.statuses == {
        "carla@customer.example": (RecipientStatus.BOUNCED, "550 5.1.1 User unknown")
    }
    late = (
        SAMPLES["bounce"].replace(b"Action: failed", b"Action: delayed").replace(b"5.1.1", b"4.4.1")
    )
    assert parse(late).report.statuses["carla@customer.example"][0] is RecipientStatus.DELAYED  # type: ignore[union-attr]  # it has one
    receipt = parse(SAMPLES["receipt"].replace(b"{original}", b"<1.2.x@acme.example>"))
    assert receipt.report is not None
    assert receipt.report.originals == ("<1.2.x@acme.example>",)
    assert receipt.report.statuses == {"carla@customer.example": (RecipientStatus.READ, "")}
    assert parse(SAMPLES["vacation"]).report is None


def test_a_delivery_report_that_is_encoded_is_read() -> None:
    raw = SAMPLES["bounce"]
    start, end = raw.index(b"Reporting-MTA"), raw.index(b"--r1\r\nContent-Type: message/rfc822")
    encoded = base64.encodebytes(raw[start:end]).replace(b"\n", b"\r\n")
    head = b"Content-Transfer-Encoding: base64\r\n\r\n"
    found = parse(raw[: start - 2] + head + encoded + raw[end:])
    assert found.report is not None
    assert found.report.statuses == {
        "carla@customer.example": (RecipientStatus.BOUNCED, "550 5.1.1 User unknown")
    }


def test_a_picture_is_found_by_an_id_that_is_percent_encoded() -> None:
    raw = (
        b"Content-Type: multipart/related; boundary=x\n\n--x\nContent-Type: text/html\n\n"
        b"<p>Look<img src='cid:a%40b'>\n--x\nContent-Type: image/png; name=lamp.png\n"
        b"Content-ID: <a@b>\n\nx\n--x--\n"
    )
    assert "[picture: lamp.png]" in read(raw)[1].html


def test_a_bounce_that_follows_no_standard_is_understood() -> None:
    raw = (
        b"From: MAILER-DAEMON@x.example\nReturn-Path: <>\nSubject: failure notice\n"
        b"X-Failed-Recipients: carla@customer.example\n\nHi. This is the qmail-send program.\n"
        b"550 5.7.1 no such mailbox\n\n--- Below this line is a copy of the message.\n\n"
        b"Message-ID: <1.2.x@acme.example>\n\nHello"
    )
    report = parse(raw).report
    assert report is not None
    assert report.originals == ("<1.2.x@acme.example>",)
    assert report.statuses == {
        "carla@customer.example": (RecipientStatus.BOUNCED, "550 5.7.1 no such mailbox")
    }
