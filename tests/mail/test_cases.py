"""Mails that help desks and mail libraries were reported to misread, each as an agent gets it.

The files are in `cases`; the letter of a name is its kind: c charset, e headers and encodings, f
file names, h HTML, k broken UTF-8, m parts, n and o machines, q what is quoted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.chat import mail_event
from bridge.config.inbox import Inbox
from bridge.mail import author, reading
from bridge.mail.quote import Body
from bridge.model import Conversation, InboxId, Mail, Number, SenderKind, State, Verdict

CASES = Path(__file__).parent / "cases"
INBOX = Inbox(id=InboxId("support"), name="Support", address="support@acme.example")
CARLA, NAMED = "carla@customer.example", "Carla Customer <carla@customer.example>"
JAPANESE = "お世話になっております。注文番号4711の画面が映りません。"
BILL, PERSON, MACHINE = "Bestellung 4711.", SenderKind.PERSON, SenderKind.AUTOMATIC


@dataclass(frozen=True)
class Case:
    """`sees`: what the agent must see without unfolding anything; `never`: what must be nowhere in
    it; `folded`: what is behind the fold; `files`: the names of the files."""

    sees: tuple[str, ...]
    never: tuple[str, ...] = ()
    folded: str = ""
    files: tuple[str, ...] = ()
    who: str = NAMED
    kind: SenderKind = PERSON


TABLE: dict[str, Case] = {
    "ar-comment": Case(("hi",), who=f"Carla <{CARLA}>"),
    "ar-iprev": Case(("hi",), who=f"Carla <{CARLA}>"),
    "c01_jis_nocharset": Case((JAPANESE,)),
    "c04_jis_as_usascii": Case((JAPANESE,)),
    "c13_utf7": Case(("Grüße, mein Display bleibt dunkel",), ("+APw",)),
    "c18_uuencode_inline": Case(
        ("Please see the file.", "Thanks, Carla"), ("begin 644",), files=("photo.png",)
    ),
    "calendar-hang": Case(
        ("📅 Invitation: hi · Tue 24 Nov 2026 10:00",), files=("invitation.ics",),
        who="c@customer.example",
    ),
    "calendar-secondly": Case(
        ("📅 Invitation: hi · Tue 24 Nov 2026 10:00",), files=("invitation.ics",),
        who="c@customer.example",
    ),
    "e01_cte_b64_space": Case(("Grüße, mein Display bleibt dunkel.", BILL)),
    "e03_cte_quoted": Case(("Grüße, mein Display bleibt dunkel.", BILL), ("=C3",)),
    "e05_att_b64_space": Case(("See the bill.",), files=("bill.pdf",)),
    "e06_sap_cte_multipart": Case(("My display is dark.",), ("Content-Type",)),
    "e14_from_whole_encoded": Case(("x",), ("=?",), who=f"Carla Müller <{CARLA}>"),
    "e17_from_unbalanced": Case(("x",)),
    "e25_mid_no_brackets": Case(("x",)),
    "f09_double_2231_and_plain": Case(("See the file.",), files=("Prüfbericht.pdf",)),
    "f11_percent_2231_plain": Case(("See the file.",), files=("Prüfbericht.pdf",)),
    "first-mail-cc": Case(("evil@elsewhere.example (new)", "What is my balance?")),
    "forged-bounce": Case(
        ("550 please send it to",), who="Mallory <mallory@evil.example>", kind=SenderKind.BOUNCE
    ),
    "h06_strike": Case(("~~Monday~~ ~~Tuesday~~ Wednesday, not ~~Friday~~",)),
    "h14_data_uri": Case(("[picture: screen]", "bye"), ("data:",), files=("picture-1.png",)),
    "h15_emoji_img": Case(("Great 😀 thanks",), ("[picture",)),
    "h25_text_differs": Case(("My display is dark since Monday", "please send a technician")),
    "k01_one_stray": Case(("Schöne Grüße aus Köln, Müller ü",), ("Ã", "\ufffd")),
    "k03_cut_multibyte": Case(("Größe für T",), ("GrÃ", "\ufffd")),
    "m10_gmail_reaction": Case(("👍 reacts to a mail",), kind=MACHINE),
    "m12_smime_opaque": Case(
        ("🔏 signed (S/MIME); the signature is not checked", "My display is dark, order 4711.")
    ),
    "m16_pgp_inline_enc": Case(("🔒 encrypted (OpenPGP)",)),
    "m19_only_rfc822": Case(("Dora <dora@other.example>", "The inner words."),
                            files=("Rückfrage.eml",)),
    "m21_cal_reply": Case(
        ("📅 Answer: Repair visit", "accepts", "“I am there from 10:15 only”"),
        files=("invitation.ics",),
    ),
    "m25_enriched": Case(("Hello, my display is dark.",), ("<bold>",)),
    "m26_body_named_inline": Case(("My display is dark. Please help.",)),
    "m35_cte_weird": Case(("Grüße, das Display ist dunkel",)),
    "n01_xars_all": Case(("My display is still dark.",)),
    "n04_precedence_bulk_person": Case(("My display is still dark.",)),
    "n05_google_group_via": Case(
        ("My display is still dark.",), who="'Carla Customer' via Support <support@acme.example>"
    ),
    "n07_contact_form": Case(("My display is dark",), who="Acme Website <wordpress@acme.example>"),
    "n08_contact_form_auto": Case(("My display is dark",), who="noreply@acme.example",
                                  kind=MACHINE),
    "n18_voicemail": Case(("Please find the recording attached",), who="pbx@acme.example",
                          kind=MACHINE),
    "o05_subj": Case(("I am away until Dec 3.",), kind=MACHINE),
    "o10_subj": Case(("I am away until Dec 3.",), kind=MACHINE),
    "q03_dashes_list": Case(("1. display dark", "3. the bill is wrong", "Call me back tomorrow.")),
    "q29_forward_outlook_no_prefix_subject": Case(
        ("Can you take this? Bob", "From: Carla Customer", "My display is dark. Order 4711.")
    ),
    "q30_forward_de_wg": Case(("Bitte übernehmen. Bob", "Von: Carla", "Mein Display ist dunkel.")),
    "q35_pasted_log": Case(("Here is the log:", "> error 17", "> stop")),
    "q50_on_sentence": Case(
        ("On our server we tried this one:", "nc -vz 192.0.2.15 9100", "the printer is gone."),
        ("Which port",), folded="Which port does it use?",
    ),
    "q51_time_in_sentence_ja": Case(
        ("では、明日 15:30 に伺います。", "受付でお名前をお伝えします。"), ("いかがでしょうか",),
        folded="いかがでしょうか", who="Hanako <hanako@customer.example>",
    ),
}  # fmt: skip
"""By the name of the file."""


def read(name: str) -> tuple[Mail, Body, str]:
    """(the mail, its body, what an agent sees without unfolding anything)."""
    mail, body = reading.read((CASES / f"{name}.eml").read_bytes(), "", INBOX.own)
    about = Conversation(Number(1), INBOX.id, mail.sender, mail.subject, State.OPEN, 0, 0, None)
    new = [each.key for each in (*mail.to, *mail.cc)]
    above = mail_event.lines_above(mail, INBOX, about, new)
    return mail, body, "\n".join((*above, body.text))


@pytest.mark.parametrize("name", TABLE)
def test_a_reported_mail_reads_as_it_was_meant(name: str) -> None:
    case = TABLE[name]
    mail, body, seen = read(name)
    assert (str(mail.sender), mail.sender_kind) == (case.who, case.kind)
    at = 0
    for each in case.sees:
        assert each in seen[at:], seen
        at = seen.index(each, at)
    assert not [each for each in case.never if each in seen], seen
    assert case.folded in body.history
    assert bool(case.folded) is bool(body.history)
    assert tuple(each.name for each in mail.attachments) == case.files


def test_every_case_is_in_the_table() -> None:
    assert {path.stem for path in CASES.glob("*.eml")} == set(TABLE)


@pytest.mark.parametrize("name", ["ar-comment", "ar-iprev"])
def test_what_others_write_into_results_proves_nothing(name: str) -> None:
    raw = (CASES / f"{name}.eml").read_bytes()
    mail, _ = reading.read(raw, "mx.acme.example", INBOX.own)
    assert mail.sender_verdict is not Verdict.PASS


@pytest.mark.parametrize(
    ("name", "who"),
    [("n05_google_group_via", "carla@yahoo.example"), ("n07_contact_form", "carla@yahoo.example"),
     ("n08_contact_form_auto", "carla@yahoo.example")],
)  # fmt: skip
def test_who_wrote_through_us_is_who_is_answered(name: str, who: str) -> None:
    mail, _, _ = read(name)
    found = author.author(mail.sender, mail.reply_to, INBOX.own)
    assert found.spec == who


@pytest.mark.parametrize("name", ["e25_mid_no_brackets"])
def test_ids_are_read_leniently(name: str) -> None:
    assert read(name)[0].message_id == "<e25@customer.example>"
