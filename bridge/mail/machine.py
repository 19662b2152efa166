"""Whether a machine wrote a mail (RFC 3834, and what real auto-responders send)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import Message

from bridge.mail import header
from bridge.mail.address import parse_list
from bridge.model import SenderKind

MAX_RECEIVED = 50
# Headers that only automatic senders write, with any value.
PRESENT = (
    "x-autorespond", "x-auto-reply-from", "x-autoreply-from", "x-mail-autoreply",
    "x-amazon-auto-reply", "x-cron-env", "x-autoresponder", "x-auto-response",
)  # fmt: skip
# Headers, and values with which a sender asks for no automatic answer. On a mail that answers one,
# a person may have written it: ticket systems and some companies add them to all their mail.
UNWANTED = (
    ("precedence", re.compile(r"bulk|junk|auto.?reply")),
    ("x-precedence", re.compile(r"bulk|junk|auto.?reply")),
    ("x-auto-response-suppress", re.compile(r"all|autoreply")),
)
# Headers, and values that only automatic senders write.
TELLING = (
    ("preference", re.compile(r"auto.?reply")),
    ("x-autoreply", re.compile(r"^(?!no$).")),
    ("x-fc-machinegenerated", re.compile(r"true")),
    ("x-post-messageclass", re.compile(r"autoresponder")),
    ("delivered-to", re.compile(r"^autoresponder$")),
    ("content-type", re.compile(r"report-type=[\"']?feedback-report")),
)
# First words of the subjects of auto-responders that add no header, in some languages.
SUBJECTS = (
    "out of office", "out-of-office", "out of the office", "automatic reply", "auto-reply",
    "autoreply", "auto reply", "auto response", "auto-response", "automatic response",
    "automated reply", "automated response", "vacation reply", "vacation notice",
    "out of office reply", "out of office autoreply", "out of office: autoreply",
    "abwesenheitsnotiz", "automatische antwort", "abwesenheitsmeldung",
    "abwesenheitsbenachrichtigung", "abwesenheitsagent", "automatische abwesenheitsnotiz",
    "automatische rückantwort", "réponse d'absence", "message d’absence",
    "notification d'absence", "reponse automatique", "risponditore automatico",
    "respuesta automatica", "respuesta de ausencia", "resposta automatica",
    "ausência do escritório", "afwezigheidsbericht", "afwezigheidsmelding",
    "automatische beantwoording", "fraværsmelding", "poissaoloviesti", "autoodpowiedź",
    "automatikus üzenet", "otomatik cevap", "автоответчик", "автовідповідь", "αυτόματη απόκριση",
    "不在通知", "自動応答メール", "自动答复", "自動答覆", "外出自动回复", "자동응답", "자동 응답",
    "מענה אוטומטי", "תשובה אוטומטית", "رد تلقائي", "الرد التلقائي", "ตอบกลับอัตโนมัติ",
    "balasan otomatis", "jawapan automatik", "réponse automatique", "absence du bureau",
    "message d'absence", "risposta automatica", "fuori sede", "respuesta automática",
    "fuera de la oficina", "resposta automática", "ausência temporária", "automatisch antwoord",
    "autosvar", "automatiskt svar", "automaattinen vastaus", "automatická odpověď",
    "automatyczna odpowiedź", "odpowiedź automatyczna", "automatikus válasz", "otomatik yanıt",
    "автоответ", "автоматический ответ", "自動応答", "自動返信", "自动回复", "自動回覆",
    "자동 회신", "frånvaromeddelande", "răspuns automat", "automatická odpoveď",
    "αυτόματη απάντηση", "tự động trả lời", "automatski odgovor", "samodejni odgovor",
    "automatinis atsakymas", "automātiska atbilde", "automaatvastus", "автоматична відповідь",
    "автоматичен отговор", "automatsvar", "sjálfvirkt svar",
)  # fmt: skip
# The same of an answer only: a person may begin a conversation about somebody's absence.
ABSENCES = (
    "ooo", "away message", "abwesenheit", "nicht im büro", "absent du bureau", "absence",
    "assente dall'ufficio", "fuori ufficio", "ausente de la oficina", "fuera de oficina",
    "fora do escritório", "ausência", "afwezig", "niet aanwezig", "ikke til stede", "fravær",
    "ikke på kontoret", "fraværende", "frånvaro", "ej på kontoret", "inte på kontoret", "poissa",
    "poissaolo", "poissa toimistosta", "nieobecność", "poza biurem", "mimo kancelář",
    "nepřítomnost", "mimo kancelárie", "neprítomnosť", "házon kívül", "în afara biroului",
    "absență", "ofis dışında", "ofis dışı", "вне офиса", "нет на месте", "відсутність",
    "извън офиса", "εκτός γραφείου", "izvan ureda", "odsotnost", "odsutnost", "不在", "休暇中",
    "外出", "不在办公室", "休假", "부재중", "부재 중", "خارج المكتب", "vắng mặt",
)  # fmt: skip


def _before_a_separator(words: Sequence[str]) -> re.Pattern[str]:
    """Words alone or before a separator: people write subjects about such mails, too."""
    return re.compile(rf"(?:{'|'.join(map(re.escape, words))})\s*(?:$|[:：\-–—(\[【|])")


SUBJECT, ABSENCE = _before_a_separator(SUBJECTS), _before_a_separator(ABSENCES)
RETURNED = re.compile(
    r"undeliver|delivery (?:status|has failed|failure|incomplete)|returned mail|failure notice"
    r"|mail delivery|delivery.{0,20}delayed|delivery failure|failure delivery|non-delivery"
    r"|(?:not|not yet been|could not be) delivered|unzustellbar|non remis"
    r"|no se (?:ha )?(?:pudo|entreg)|mancato recapito|onbestelbaar|не доставлен|недоставлен"
    r"|配信|退信"
)
DAEMONS = re.compile(r"mailer-?daemon|mail-daemon|mdaemon")
SYSTEMS = re.compile(r"postmaster|bounces?(?:[+-].*)?")
"""System senders whose mails may be written by people, such as the postmaster of a host."""


def sender_kind(message: Message, own: frozenset[str] = frozenset()) -> SenderKind:
    """The kind of sender of a mail; only a person's mail reopens a conversation.

    `own` are the inbox's addresses, case-folded: if such an address is itself a mailing list (a
    Google Group, for example), mails to it do not count as list mails.
    """
    report = _report(message)
    if report is not None:
        return report
    if _said(message, "list-id") or _said(message, "precedence") == "list":
        if not _is_own_list(message, own):
            return SenderKind.LIST
    elif _said(message, "list-unsubscribe") and not _answers_mail(message):
        return SenderKind.LIST
    automatic = _said(message, "auto-submitted").partition(";")[0].partition(" ")[0]
    if automatic not in ("", "no") or any(_said(message, name) for name in PRESENT):
        return SenderKind.AUTOMATIC
    if any(pattern.search(_said(message, name)) for name, pattern in TELLING):
        return SenderKind.AUTOMATIC
    if wants_no_answer(message) and not _answers_mail(message):
        return SenderKind.AUTOMATIC
    subject = _said(message, "subject")
    if SUBJECT.match(subject) or (ABSENCE.match(subject) and _answers_mail(message)):
        return SenderKind.AUTOMATIC
    if own & {each.key for each in parse_list(_said(message, "x-loop"))}:  # our own mail came back
        return SenderKind.AUTOMATIC
    if len(header.raw_values(message, "received")) > MAX_RECEIVED:
        return SenderKind.AUTOMATIC
    if _said(message, "return-path") == "<>":
        return SenderKind.AUTOMATIC
    return SenderKind.PERSON


def wants_no_answer(message: Message) -> bool:
    """Whether a mail asks for no automatic answer."""
    return any(pattern.search(_said(message, name)) for name, pattern in UNWANTED)


def _said(message: Message, name: str) -> str:
    return header.text(message, name, 1000).casefold()


def _answers_mail(message: Message) -> bool:
    """Whether a mail answers another mail. Such a mail comes from a person even if it has list
    headers, because some help desks add these."""
    return bool(_said(message, "in-reply-to") or _said(message, "references"))


def _report(message: Message) -> SenderKind | None:
    """BOUNCE or RECEIPT, for a mail that reports on another one."""
    if message.get_content_type() == "multipart/report":
        kind = header.parameter(message, "content-type", "report-type").lower()
        if kind == "disposition-notification":
            return SenderKind.RECEIPT
        if kind in ("delivery-status", ""):
            return SenderKind.BOUNCE
    if message.get_content_type() == "message/delivery-status":
        return SenderKind.BOUNCE
    if _said(message, "x-failed-recipients"):
        return SenderKind.BOUNCE
    senders = [each.key.partition("@")[0] for each in parse_list(header.text(message, "from"))]
    if any(map(DAEMONS.fullmatch, senders)):
        return SenderKind.BOUNCE
    system = any(map(SYSTEMS.fullmatch, senders))
    no_return = _said(message, "return-path") == "<>"
    if (system or no_return) and RETURNED.search(_said(message, "subject")):
        return SenderKind.BOUNCE
    return SenderKind.BOUNCE if system and no_return else None


def _is_own_list(message: Message, own: frozenset[str]) -> bool:
    """Whether the list is the inbox's own address (RFC 2919: List-Id is `name.domain`)."""
    named = _said(message, "list-id").rpartition("<")[2].strip("> ")
    posts = {each.key for each in parse_list(_said(message, "list-post").replace("mailto:", ""))}
    return bool(posts & own) or named in {spec.replace("@", ".") for spec in own}
