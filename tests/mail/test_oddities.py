"""Mails as real programs and servers damage them: what an agent sees of each."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from asn1crypto import cms

from bridge.mail.reading import read
from tests.mail.parts import part_bytes

HEAD = "From: Carla <carla@customer.example>\r\nTo: support@acme.example\r\nSubject: Display\r\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 60
PDF = b"%PDF-1.4\n"
TEXT = "Grüße, mein Display bleibt dunkel."


def raw(head: str, body: str | bytes = "", *, mail: str = HEAD) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    return f"{mail}Message-ID: <odd@customer.example>\r\n{head}\r\n\r\n".encode() + data


def coded(label: str, data: bytes = TEXT.encode(), how: str = "base64") -> bytes:
    body = base64.encodebytes(data) if how == "base64" else binascii.b2a_qp(data)
    return raw(
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding:{label}", body
    )


def shown(mail: bytes) -> str:
    found, body = read(mail)
    assert found.problem == ""
    return body.text


@pytest.mark.parametrize("label", [
    " base64 ", ' "base64"', " base64;", " (encoded) base64", " BASE64 (x)", " base64, 8bit",
    "\r\n base64",
])  # fmt: skip
def test_the_first_word_of_a_transfer_encoding_counts(label: str) -> None:
    assert shown(coded(label)) == TEXT
    qp = label.replace("base64", "quoted-printable").replace("BASE64", "Quoted-Printable")
    assert shown(coded(qp, how="qp")) == TEXT


BASE64 = base64.b64encode(TEXT.encode())


@pytest.mark.parametrize(("data", "text"), [
    (BASE64[:20] + b"\r\n\r\n" + BASE64[20:], TEXT),
    (BASE64.rstrip(b"="), TEXT),
    (BASE64 + b"\r\n_____\r\nThe list of Acme, est. 1999\r\n",
     f"{TEXT}\n_____\nThe list of Acme, est. 1999"),
    (base64.b64encode(b"One. ") + base64.b64encode(b"Two, three"), "One. Two, three"),
    (b"My display is dark.\r\nPlease call me back.", "My display is dark.\nPlease call me back."),
])  # fmt: skip
def test_base64_as_gateways_leave_it(data: bytes, text: str) -> None:
    head = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64"
    assert shown(raw(head, data)) == text


def parts(*each: str | bytes, kind: str = "mixed", cte: str = "") -> bytes:
    joined = b"".join(
        b"--bb\r\n" + (one.encode() if isinstance(one, str) else one) + b"\r\n" for one in each
    )
    data = joined + b"--bb--\r\n"
    head = f"Content-Type: multipart/{kind}; boundary=bb"
    if cte:
        data = base64.encodebytes(data) if cte == "base64" else data
        head += f"\r\nContent-Transfer-Encoding: {cte}"
    return raw(head, data)


PLAIN = "Content-Type: text/plain; charset=utf-8\r\n\r\nSee the file."


def file(headers: str, data: bytes = PDF) -> str:
    return (f"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64 \r\n{headers}"
            f"\r\n\r\n{base64.b64encode(data).decode()}")  # fmt: skip


@pytest.mark.parametrize("cte", ["base64", "quoted-printable", "8bit"])
def test_a_multipart_with_a_transfer_encoding(cte: str) -> None:
    mail = parts(PLAIN, file("Content-Disposition: attachment; filename=a.pdf"), cte=cte)
    found, body = read(mail)
    assert body.text == "See the file."
    assert [each.name for each in found.attachments] == ["a.pdf"]
    assert part_bytes(mail, found.attachments[0].part) == PDF


def test_a_label_of_quoted_printable_on_parts_that_are_not() -> None:
    assert shown(raw("Content-Type: multipart/mixed; boundary=bb\r\n"
                     "Content-Transfer-Encoding: quoted-printable",
                     "--bb\r\nContent-Type: text/plain\r\n\r\n1=32 is right\r\n--bb--")
                 ) == "1=32 is right"  # fmt: skip


JIS = "お世話になっております。注文番号4711".encode("iso-2022-jp")


@pytest.mark.parametrize(("charset", "data", "text"), [
    ("", JIS, JIS.decode("iso-2022-jp")),
    ("us-ascii", JIS, JIS.decode("iso-2022-jp")),
    ("utf-8", JIS, JIS.decode("iso-2022-jp")),
    ("", b"\x1b$)C\x0eGQ19\x0f", "한국"),
    ("utf-7", b"Gr+APwA3w-e", "Grüße"),
    ("unicode-1-1-utf-7", b"Gr+APwA3w-e", "Grüße"),
    ("utf-8", TEXT.encode() + b" M\xfcller", f"{TEXT} Müller"),
    ("utf-8", "Größe für Tü".encode()[:-1], "Größe für TÃ"),
    ("utf-8", "Grüße\n--\n".encode() + "Jörg, Büro Köln, Königstraße".encode("latin-1"),
     "Grüße\n--\nJörg, Büro Köln, Königstraße"),
    ("utf-8", "Grüße aus Köln".encode("latin-1"), "Grüße aus Köln"),
    ("utf-8", "Привет, мой экран тёмный".encode("cp1251"), "Привет, мой экран тёмный"),
    ("utf-8", "我的显示器是黑的，请帮助我".encode("gb18030"), "我的显示器是黑的，请帮助我"),
])  # fmt: skip
def test_bytes_of_another_charset_than_named(charset: str, data: bytes, text: str) -> None:
    named = f"; charset={charset}" if charset else ";"
    _, body = read(raw(f"Content-Type: text/plain{named}\r\n"
                           "Content-Transfer-Encoding: 8bit", data))  # fmt: skip
    assert f"{body.text}\n{body.history}".strip().replace("\n\n", "\n") == text


def test_raw_japanese_in_headers() -> None:
    subject = "画面が映りません".encode("iso-2022-jp")
    mail = b"From: " + "花子".encode("iso-2022-jp") + b" <h@x.example>\r\nSubject: " + subject
    found, _ = read(mail + b"\r\n\r\nx")
    assert (found.subject, found.sender.name) == ("画面が映りません", "花子")


UU = "begin 644 photo.png\n" + "".join(
    binascii.b2a_uu(PNG[i : i + 45]).decode() for i in range(0, len(PNG), 45)
) + "`\nend\n"  # fmt: skip


@pytest.mark.parametrize("uu", [UU, UU.replace("`\nend", " \nend"), UU.replace("\n", "\r\n")])
def test_files_inside_the_text(uu: str) -> None:
    mail = raw("Content-Type: text/plain", f"See:\n\n{uu}\nand\n{uu.replace('photo', 'two')}Bye")
    found, body = read(mail)
    assert body.text.split() == ["See:", "and", "Bye"]
    assert [(each.name, each.type) for each in found.attachments] == [
        ("photo.png", "image/png"), ("two.png", "image/png"),
    ]  # fmt: skip
    assert [part_bytes(mail, each.part) for each in found.attachments] == [PNG, PNG]


@pytest.mark.parametrize("nameless", ["begin 644 \n", "begin 644\n"])
def test_a_file_inside_the_text_needs_no_name(nameless: str) -> None:
    uu = UU.replace("begin 644 photo.png\n", nameless)
    mail = raw("Content-Type: text/plain", f"See:\n\n{uu}Bye")
    found, body = read(mail)
    assert body.text.split() == ["See:", "Bye"]
    assert [part_bytes(mail, each.part) for each in found.attachments] == [PNG]
    assert found.attachments[0].name


def test_text_that_looks_like_a_file_stays_text() -> None:
    for text in ("begin 644 a.txt\nis how such a file starts.", "begin 644 x\n" * 500):
        found, body = read(raw("Content-Type: text/plain", text))
        assert (body.text.split(), found.attachments) == (text.split(), ())


ENRICHED = (
    "<bold>Hello</bold>, my\ndisplay is <color><param>red</param><italic>dark</italic></color>."
    "\n\nBye <<3"
)


def test_text_enriched() -> None:
    _, body = read(raw("Content-Type: text/enriched; charset=utf-8", ENRICHED))
    assert body.text.split() == ["Hello,", "my", "display", "is", "dark.", "Bye", "<3"]
    assert "<strong>Hello</strong>" in body.html
    assert "<em>dark</em>" in body.html
    rich = "<bold>Hello</bold> <lt>3<nl>Bye"
    assert shown(raw("Content-Type: text/richtext", rich)).split() == ["Hello", "<3", "Bye"]


NAME = "Prüfbericht.pdf"


@pytest.mark.parametrize("parameter", [
    "filename=\"Pr_fbericht.pdf\"; filename*=UTF-8''Pr%C3%BCfbericht.pdf",
    "filename*=UTF-8''Pr%C3%BCfbericht.pdf; filename=\"Pr_fbericht.pdf\"",
    "filename=UTF-8''Pr%C3%BCfbericht.pdf",
    "filename=\"utf-8'de'Pr%C3%BCfbericht.pdf\"",
    "filename*=iso-8859-1''Pr%FCfbericht.pdf",
    "filename=\"Pr%C3%BCfbericht.pdf\"",
    "filename*0*=UTF-8''Pr%C3%BC; filename*1=fbericht.pdf",
    "filename*0=\"=?utf-8?Q?Pr=C3=BCf?=\"; filename*1=\"=?utf-8?Q?bericht.pdf?=\"",
    'filename="=?utf-8?B?UHLDvGZiZXJpY2h0LnBkZg==?="',
    "filename==?iso-8859-1?Q?Pr=FCfbericht.pdf?=",
    "filename=\"Prüfbericht.pdf\"",
])  # fmt: skip
def test_names_of_files(parameter: str) -> None:
    found, _ = read(parts(PLAIN, file(f"Content-Disposition: attachment; {parameter}")))
    assert [each.name for each in found.attachments] == [NAME]


@pytest.mark.parametrize("name", ["100%.pdf", "50%off.pdf", "a%ZZ.pdf", "it's 'x' new.pdf"])
def test_a_percent_sign_and_quotes_in_a_name_stay(name: str) -> None:
    found, _ = read(parts(PLAIN, file(f'Content-Disposition: attachment; filename="{name}"')))
    assert [each.name for each in found.attachments] == [name]


def signed(inner: bytes) -> bytes:
    return cms.ContentInfo({
        "content_type": "signed_data",
        "content": cms.SignedData({
            "version": "v1", "digest_algorithms": [],
            "encap_content_info": {"content_type": "data", "content": inner},
            "signer_infos": [],
        }),
    }).dump()  # fmt: skip


@pytest.mark.parametrize("kind", [
    'application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"',
    "application/x-pkcs7-mime",
    'application/octet-stream; name="smime.p7m"',
])  # fmt: skip
def test_an_opaque_signature_is_opened(kind: str) -> None:
    inner = parts(PLAIN, file("Content-Disposition: attachment; filename=a.pdf"))
    inner = inner.partition(b"Message-ID")[2].partition(b"\r\n")[2]
    mail = raw(f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64",
               base64.encodebytes(signed(inner)))  # fmt: skip
    found, body = read(mail)
    assert body.text == "See the file."
    assert found.notes == ("🔏 signed (S/MIME); the signature is not checked",)
    assert [each.name for each in found.attachments] == ["a.pdf"]
    assert part_bytes(mail, found.attachments[0].part) == PDF


@pytest.mark.parametrize("kind", ["application/pkcs7-mime", "application/octet-stream"])
def test_a_file_that_somebody_signed_stays_a_file(kind: str) -> None:
    invoice = base64.b64encode(signed(b"<invoice/>")).decode()
    part = (f'Content-Type: {kind}; name="invoice.xml.p7m"\r\nContent-Transfer-Encoding: base64'
            f"\r\nContent-Disposition: attachment\r\n\r\n{invoice}")  # fmt: skip
    found, body = read(parts(PLAIN, part))
    assert [each.name for each in found.attachments] == ["invoice.xml.p7m"]
    assert (body.text, found.notes) == ("See the file.", ())


def test_a_damaged_signature_is_a_file() -> None:
    damaged = base64.encodebytes(b"0\x80damaged")
    mail = raw("Content-Type: application/pkcs7-mime; name=smime.p7m\r\n"
               "Content-Transfer-Encoding: base64", damaged)  # fmt: skip
    found, _ = read(mail)
    assert [each.name for each in found.attachments] == ["smime.p7m"]
    assert "encrypted" in found.notes[0]


@dataclass(frozen=True)
class From:
    written: str
    spec: str = "carla@customer.example"
    name: str = "Carla"


@pytest.mark.parametrize("case", [
    From('From: "Carla <carla@customer.example>'),
    From("From: =?utf-8?Q?Carla_=3Ccarla=40customer=2Eexample=3E?="),
    From("From: =?utf-8?Q?Carla?= =?utf-8?Q?_=3Ccarla=40customer.example=3E?="),
    From("Sender: Carla <carla@customer.example>"),
    From("From:\r\nSender: Carla <carla@customer.example>"),
    From("From: Carla <carla@customer.example"),
    From("From: Carla carla@customer.example"),
    From("From: carla@customer.example (Carla)", name=""),
])  # fmt: skip
def test_a_sender_in_pieces(case: From) -> None:
    found, _ = read(f"{case.written}\r\nSubject: x\r\n\r\nx".encode(), "mx.acme.example")
    assert (found.sender.spec, found.sender.name) == (case.spec, case.name)


def test_a_sender_in_an_odd_place_never_passes_the_check() -> None:
    said = "Authentication-Results: mx.acme.example; dmarc=pass header.from=customer.example\r\n"
    plain = f"{said}From: Carla <carla@customer.example>\r\n\r\nx".encode()
    hidden = f"{said}From: =?utf-8?Q?Carla_=3Ccarla=40customer.example=3E?=\r\n\r\nx".encode()
    verdicts = [read(each, "mx.acme.example")[0].sender_verdict for each in (plain, hidden)]
    assert verdicts == ["pass", "fail"]
    # an address inside the name of another one is never the sender
    found, _ = read(b"From: =?utf-8?Q?=3Cboss=40acme.example=3E?= <evil@x.example>\r\n\r\nx")
    assert found.sender.spec == "evil@x.example"


@pytest.mark.parametrize(("written", "ids"), [
    ("odd@x.example", ("<odd@x.example>",)),
    ("=?utf-8?q?=3Codd=40x=2Eexample=3E?=", ("<odd@x.example>",)),
    ("<od\r\n d@x.example>", ("<odd@x.example>",)),
    ("<a@x.example>, b@x.example", ("<a@x.example>",)),
    ("a@x.example b@x.example", ("<a@x.example>", "<b@x.example>")),
    ("=?utf-8?q?=3Ca=40x=3E?=\r\n =?utf-8?q?_=3Cb=40x=3E?=", ("<a@x>", "<b@x>")),
    ("Your message of Monday <a@x.example>", ("<a@x.example>",)),
])  # fmt: skip
def test_ids_as_programs_write_them(written: str, ids: tuple[str, ...]) -> None:
    found, _ = read(f"From: a@x.example\r\nReferences: {written}\r\n\r\nx".encode())
    assert found.references == ids


def html(text: str) -> bytes:
    return raw("Content-Type: text/html; charset=utf-8", text)


def test_pictures_written_into_the_html() -> None:
    picture = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    spacer = base64.b64encode(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;").decode()
    mail = html(f"<p>Here:</p><img alt='screen' src='{picture}'><p>and</p><img src=\"{picture}\">"
                f"<img src=data:image/gif;base64,{spacer}><p>bye</p>")  # fmt: skip
    found, body = read(mail)
    assert [(each.name, each.type) for each in found.attachments] == [
        ("picture-1.png", "image/png")
    ]
    assert part_bytes(mail, found.attachments[0].part) == PNG
    assert body.html.count("[picture: picture-1.png]") == 2
    assert "base64" not in body.html + body.text


LONG = "My display is dark since Monday, please send a technician to Berlin as soon as you can."


@pytest.mark.parametrize("plain", [
    "Please find the newest information about your request in this message from our portal, "
    "which you can read with a modern mail program.",
    "View this mail in a browser.", "", "html only",
])  # fmt: skip
def test_the_plain_text_says_what_the_html_shows(plain: str) -> None:
    mail = parts(f"Content-Type: text/plain\r\n\r\n{plain}",
                 f"Content-Type: text/html\r\n\r\n<p>{LONG}</p>", kind="alternative")  # fmt: skip
    assert LONG in shown(mail)
    same = parts(f"Content-Type: text/plain\r\n\r\n* {LONG.upper()} <https://x.example>",
                 f"Content-Type: text/html\r\n\r\n<p>{LONG}</p>", kind="alternative")  # fmt: skip
    assert shown(same) == f"* {LONG.upper()} <https://x.example>"


@pytest.mark.parametrize(("disposition", "files"), [
    ('inline; filename="message.txt"', []), ('attachment; filename="message.txt"', ["message.txt"]),
])  # fmt: skip
def test_the_only_text_is_the_text_whatever_it_is_called(
    disposition: str, files: list[str]
) -> None:
    part = f"Content-Type: text/plain\r\nContent-Disposition: {disposition}\r\n\r\n{LONG}"
    found, body = read(parts(part, file("Content-Disposition: attachment; filename=a.pdf")))
    assert body.text == LONG
    assert [each.name for each in found.attachments] == [*files, "a.pdf"]
    found, body = read(parts(PLAIN, part))
    assert body.text == "See the file."
    assert [each.name for each in found.attachments] == ["message.txt"]


def test_a_mail_that_is_only_a_forwarded_message_shows_its_words() -> None:
    inner = "From: Dora <dora@other.example>\r\nSubject: =?utf-8?Q?R=C3=BCck?=\r\n\r\nThe words."
    found, body = read(raw("Content-Type: message/rfc822", inner))
    for each in ("Dora <dora@other.example>", "Rück", "The words."):
        assert each in body.text
    assert [each.name for each in found.attachments] == ["Rück.eml"]
    assert found.forwarded[0].sender.spec == "dora@other.example"


def test_alternatives_for_some_programs_are_no_files() -> None:
    found, _ = read(parts(
        "Content-Type: text/plain\r\n\r\nHello",
        "Content-Type: text/x-amp-html\r\n\r\n<html amp4email>",
        "Content-Type: text/html\r\n\r\n<p>Hello</p>", kind="alternative",
    ))  # fmt: skip
    assert found.attachments == ()


PGP: Mapping[str, tuple[str, str]] = {
    "-----BEGIN PGP MESSAGE-----\n\nhQEMA\n=abcd\n-----END PGP MESSAGE-----": ("🔒", "hQEMA"),
    "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nMy display\n- - is dark.\n"
    "-----BEGIN PGP SIGNATURE-----\n\niQEz\n-----END PGP SIGNATURE-----\n": ("🔏", "- is dark."),
}


@pytest.mark.parametrize("text", PGP)
def test_openpgp_inside_the_text_is_named(text: str) -> None:
    sign, words = PGP[text]
    found, body = read(raw("Content-Type: text/plain", text))
    assert [note[0] for note in found.notes] == [sign]
    assert words in body.text
    assert "SIGNATURE" not in body.text


@pytest.mark.parametrize("sender", [
    "carla=?utf-8?q?=40customer.example=28?=@evil.example",
    "=?utf-8?q?carla=40customer.example=2C?=@evil.example",
    "eve@evil.example=?utf-8?q?=2C_carla=40customer.example?=",
])  # fmt: skip
def test_T06_encoded_words_in_an_address_make_no_other_domain_of_it(sender: str) -> None:
    found, _ = read(raw(f"From: {sender}", "x", mail=""))
    assert found.sender.domain != "customer.example"


def test_encoded_words_in_a_domain_are_what_they_say() -> None:
    found, _ = read(raw("From: c@=?utf-8?q?m=C3=BCller?=.example", "x", mail=""))
    assert found.sender.spec == "c@müller.example"
