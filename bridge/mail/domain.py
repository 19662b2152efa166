"""What a domain's records say of its mail: MX, SPF, DMARC, DKIM. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.model.dns import Question, Records
from bridge.model.oversight import Finding, Grade

SELECTORS = (
    "google", "selector1", "selector2", "k1", "k2", "k3", "s1", "s2", "fm1", "fm2", "fm3", "mail",
    "default", "dkim", "zoho", "pm", "mxvault",
)  # fmt: skip
"""Usual names of keys: DNS cannot be asked which there are."""
LOOKUPS, VOID, LEVELS = 10, 2, 8
"""Maximum look-ups of an SPF record, those without an answer (RFC 7208 §4.6.4), and levels of the
walk to a DMARC record (RFC 9989)."""
LOOKS_UP = re.compile(r"[+?~-]?(include|a|mx|ptr|exists)(?=[:/]|$)|(redirect)=", re.IGNORECASE)
NEXT = re.compile(r"[+?~-]?include:(\S+)|redirect=(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SendingHost:
    """What the domain of an outgoing server adds to SPF."""

    host: str
    includes: str


SENDING = (
    SendingHost("gmail.com", "_spf.google.com"), SendingHost("google.com", "_spf.google.com"),
    SendingHost("office365.com", "spf.protection.outlook.com"),
    SendingHost("outlook.com", "spf.protection.outlook.com"),
    SendingHost("fastmail.com", "spf.messagingengine.com"),
    SendingHost("sendgrid.net", "sendgrid.net"), SendingHost("mailgun.org", "mailgun.org"),
    SendingHost("amazonaws.com", "amazonses.com"), SendingHost("zoho.com", "zoho.com"),
    SendingHost("mandrillapp.com", "spf.mandrillapp.com"),
    SendingHost("postmarkapp.com", "spf.mtasv.net"),
)  # fmt: skip


def questions(domain: str, selectors: Sequence[str] = ()) -> list[Question]:
    """What to ask first of a domain; `selectors`: names of keys that its mail was signed with."""
    labels = domain.split(".")
    parents = [".".join(labels[at:]) for at in range(len(labels) - 1)][:LEVELS]
    keys = dict.fromkeys((*selectors, *SELECTORS))
    return [
        Question(domain, "MX"), Question(domain),
        *(Question(f"_dmarc.{parent}") for parent in parents),
        Question(f"_domainkey.{domain}"),
        *(Question(f"{selector}._domainkey.{domain}") for selector in keys),
    ]  # fmt: skip


def spf_of(records: Records | None) -> list[str]:
    return [
        text
        for text in (records.values if records else ())
        if re.match(r"v=spf1(\s|$)", text, re.I)
    ]


def named_in(record: str) -> list[str]:
    """The domains that an SPF record goes on with."""
    found = [match[1] or match[2] for match in NEXT.finditer(record)]
    return [name.lower() for name in found if "%" not in name]


def lookups(record: str, known: Mapping[str, str]) -> int:
    """How many look-ups an SPF record needs, with those of the records that it names."""
    count, left, seen = 0, [record], set()
    while left:
        current = left.pop()
        count += sum(1 for term in current.split() if LOOKS_UP.match(term))
        for name in named_in(current):
            if name not in seen and name in known:
                seen.add(name)
                left.append(known[name])
    return count


def findings(
    domain: str, found: Mapping[Question, Records], included: Mapping[str, str], smtp_host: str
) -> list[Finding]:
    """One finding for each kind of record. `included`: the SPF records that were named, by domain;
    `smtp_host`: the outgoing server of an inbox there, empty for none."""
    return [
        _mx(domain, found.get(Question(domain, "MX"))),
        _spf(domain, found.get(Question(domain)), included, smtp_host),
        _dmarc(domain, found),
        _dkim(domain, found),
    ]


def _mx(domain: str, records: Records | None) -> Finding:
    if records is None:
        return Finding(Grade.WARNING, f"MX: the name servers of {domain} do not answer")
    if not records.exists:
        return Finding(Grade.BAD, f"MX: DNS knows no domain {domain}. Is it spelt right?")
    hosts = [value.split()[-1].rstrip(".") for value in records.values]
    if not hosts:
        return Finding(
            Grade.WARNING,
            f"MX: not seen. Put in: {domain}. MX 10 and the name of the server that takes its mail",
        )
    if hosts == [""]:
        return Finding(Grade.BAD, f"MX: {domain} takes no mail (null MX, RFC 7505)")
    return Finding(Grade.GOOD, f"MX: mail to {domain} goes to {', '.join(hosts[:5])}")


def _spf(
    domain: str, records: Records | None, included: Mapping[str, str], smtp_host: str
) -> Finding:
    if records is None:
        return Finding(Grade.WARNING, f"SPF: the name servers of {domain} do not answer")
    ours = spf_of(records)
    hosts = (each for each in SENDING if f".{smtp_host}".endswith(f".{each.host}"))
    wanted = next((f"include:{each.includes}" for each in hosts), "")
    if not ours:
        line = f"v=spf1 {wanted or 'and what your outgoing server wants'} ~all"
        return Finding(
            Grade.WARNING, f"SPF: not seen, so mail may be taken for spam. Put in: {domain}. TXT"
            f' "{line}"',
        )  # fmt: skip
    if len(ours) > 1:
        both = " | ".join(sorted(ours))
        return Finding(
            Grade.BAD, f"SPF: {len(ours)} records, so none counts. Make one of them: {both}"
        )
    (record,) = ours
    shown = f"“{record[:300]}”"
    count = lookups(record, included)
    if count > LOOKUPS:
        return Finding(
            Grade.BAD, f"SPF: {shown} needs {count} look-ups, and receivers stop after {LOOKUPS}."
            " Take out an include.",
        )  # fmt: skip
    if re.search(r"(^|\s)\+?all(\s|$)", record, re.IGNORECASE):
        return Finding(Grade.BAD, f"SPF: {shown} lets everybody send. End it with ~all.")
    everywhere = " ".join((record, *included.values())).lower()
    if wanted and wanted not in everywhere:
        return Finding(
            Grade.WARNING, f"SPF: {shown} does not name your outgoing server {smtp_host}. Put in"
            f" {wanted}.",
        )  # fmt: skip
    return Finding(Grade.GOOD, f"SPF: {shown}, {count} look-ups")


def _dmarc(domain: str, found: Mapping[Question, Records]) -> Finding:
    for question, records in found.items():
        if not question.name.startswith("_dmarc.") or not records.values:
            continue
        ours = [each for each in records.values if re.match(r"v=DMARC1\s*(;|$)", each)]
        if len(ours) == 1:
            policy = re.search(r"(?:^|;)\s*p\s*=\s*(\w+)", ours[0])
            what = policy[1].lower() if policy else "none"
            place = question.name.removeprefix("_dmarc.")
            where = "" if place == domain else f" (of {place})"
            return Finding(Grade.GOOD, f"DMARC: policy {what}{where}, “{ours[0][:200]}”")
        if len(ours) > 1:
            return Finding(
                Grade.BAD, f"DMARC: {len(ours)} records at {question.name}, so none counts"
            )
    return Finding(
        Grade.WARNING, f'DMARC: not seen. Put in: _dmarc.{domain}. TXT "v=DMARC1; p=none;'
        f' rua=mailto:postmaster@{domain}"',
    )  # fmt: skip


def _dkim(domain: str, found: Mapping[Question, Records]) -> Finding:
    suffix = f"._domainkey.{domain}"
    seen = [
        question.name.removesuffix(suffix)
        for question, records in found.items()
        if question.name.endswith(suffix) and any("p=" in each for each in records.values)
    ]
    if seen:
        return Finding(Grade.GOOD, f"DKIM: keys seen: {', '.join(seen)}")
    base = found.get(Question(f"_domainkey.{domain}"))
    some = (
        ""
        if base is None or not base.exists
        else " There are keys under names that we do not know."
    )
    return Finding(
        Grade.WARNING, f"DKIM: not seen under the usual names.{some} Switch it on at your outgoing"
        " server, which gives the line to put in.",
    )  # fmt: skip
